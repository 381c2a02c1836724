// Who talks to whom just now: bars of those with the most octets, the ten largest pairs, and the
// live flows. A click adds to the filter, which the daemon applies.

import { $, h, s, swap, get, count, octets, ago } from "./dom.js";
import { Flows } from "./flows.js";

const titles = { src: "Sources", dst: "Destinations", port: "Ports", proto: "Protocols", in: "Interfaces in", out: "Interfaces out", id: "Seen by" };

export class Traffic {
	constructor() {
		this.flows = new Flows((word) => this.add(word), () => this.again());
		$("filter").addEventListener("submit", (e) => { e.preventDefault(); this.again(); });
		$("window").addEventListener("change", () => this.again());
		$("clear").addEventListener("click", () => { $("words").value = ""; this.again(); });
		setInterval(() => this.fresh(), 500);
	}

	/** run looks on while the view is seen. */
	run(seen) {
		if (seen === !!this.running) return;
		this.running = seen;
		clearTimeout(this.timer);
		if (this.asking) this.asking.abort();
		this.watch();
		if (seen) this.ask();
	}

	again() {
		if (!this.running) return;
		clearTimeout(this.timer);
		if (this.asking) this.asking.abort();
		this.watch();
		this.ask();
	}

	/** watch has the daemon tell who sent most within each window, where one is chosen. */
	watch() {
		if (this.source) this.source.close();
		this.source = this.counted = null;
		const length = $("window").value;
		if (!this.running || !length) return;
		for (const id of ["tops", "sankey"]) $(id).replaceChildren(h("p", { class: "quiet" }, "counting"));
		this.source = new EventSource("/api/talkers?" + new URLSearchParams({ words: $("words").value, window: length }));
		this.source.addEventListener("talkers", (e) => {
			this.counted = JSON.parse(e.data);
			this.draw(this.counted);
		});
	}

	add(word) {
		const name = word.split("=")[0];
		const words = $("words").value.split(/\s+/).filter((w) => w && !w.startsWith(name + "="));
		$("words").value = [...words, word].join(" ");
		this.again();
	}

	async ask() {
		const asking = this.asking = new AbortController();
		const q = new URLSearchParams({ words: $("words").value, sort: this.flows.sort, limit: this.flows.limit });
		let pause = 1000;
		try {
			const a = await get("/api/flows?" + q, asking.signal);
			this.at = Date.now() - (Date.parse(a.at) - Date.parse(a.counted));
			pause = Math.max(1000, a.again);
			$("trouble").hidden = !(a.unable && a.unable.length);
			$("trouble").textContent = (a.unable || []).join("; ");
			this.all = a.all;
			this.flows.update(a);
			if (!$("window").value) this.draw(a);
			this.fresh();
		} catch (e) {
			if (asking.signal.aborted) return;
			$("trouble").textContent = e.message;
			$("trouble").hidden = false;
			pause = 3000;
		}
		if (this.running && asking === this.asking) this.timer = setTimeout(() => this.ask(), pause);
	}

	fresh() {
		if (!this.at || !this.running) return;
		const age = Date.now() - this.at;
		const text = `${count(this.all.flows)} live flows, ${octets(this.all.octets)}` + (age > 2000 ? `; as of ${ago(age)} ago` : "") +
			(this.counted ? `. Bars: ${octets(this.counted.all.octets)} within ${ago(1000 * this.counted.seconds)}, up to ${ago(Date.now() - Date.parse(this.counted.at))} ago` : "");
		if ($("survey").textContent !== text) $("survey").textContent = text;
	}

	draw(a) {
		swap($("tops"), Object.entries(titles).map(([by, title]) => {
			const rows = (a.tops && a.tops[by]) || [];
			const most = Math.max(1, ...rows.map((r) => r.octets));
			return h("div", { class: "top" }, h("h3", {}, title), rows.map((r) => h("button", {
				type: "button", "data-word": r.word || "", "data-key": by + " " + r.name, title: r.name, disabled: !r.word, onclick: () => r.word && this.add(r.word),
			}, h("span", {}, r.name), h("span", { class: "right" }, octets(r.octets)),
			h("span", { class: "meter", "aria-hidden": "true" }, h("span", { style: { width: (100 * r.octets / most) + "%" } })))),
			rows.length ? null : h("p", { class: "quiet" }, "nothing"));
		}));
		this.sankey(a.pairs || []);
	}

	/** sankey shows the largest pairs as ribbons from left to right. */
	sankey(pairs) {
		const total = pairs.reduce((n, p) => n + p.octets, 0);
		if (!total) {
			$("sankey").replaceChildren(h("p", { class: "quiet" }, "nothing"));
			return;
		}
		const width = Math.max(560, Math.min(1100, $("sankey").clientWidth)), space = 10, label = 190;
		const side = (name) => {
			const sums = new Map();
			for (const p of pairs) sums.set(p[name], (sums.get(p[name]) || 0) + p.octets);
			return sums;
		};
		const left = side("src"), right = side("dst");
		const height = 300 + space * Math.max(left.size, right.size), scale = 300 / total;
		const posts = (sums) => {
			let y = 4;
			const at = new Map();
			for (const [name, n] of [...sums].sort((a, b) => b[1] - a[1])) {
				at.set(name, { y, next: y, size: Math.max(2, n * scale), n });
				y += Math.max(2, n * scale) + space;
			}
			return at;
		};
		const from = posts(left), to = posts(right), x1 = label, x2 = width - label, mid = (x1 + x2) / 2;
		const svg = s("svg", { width, height: height + 8, role: "group", "aria-label": "Who sends to whom" });
		pairs.forEach((p, i) => {
			const a = from.get(p.src), b = to.get(p.dst), size = Math.max(1, p.octets * scale);
			const y1 = a.next, y2 = b.next;
			a.next += size;
			b.next += size;
			const name = `${p.src} to ${p.dst}: ${octets(p.octets)}`;
			const pick = () => { this.add("src=" + p.src); this.add("dst=" + p.dst); };
			svg.append(s("path", {
				class: "ribbon", tabindex: "0", role: "button", "aria-label": name, "data-key": p.src + " " + p.dst, style: { fill: `var(--c${i % 8})` },
				d: `M${x1},${y1} C${mid},${y1} ${mid},${y2} ${x2},${y2} L${x2},${y2 + size} C${mid},${y2 + size} ${mid},${y1 + size} ${x1},${y1 + size} Z`,
				onclick: pick, onkeydown: (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); pick(); } },
			}, s("title", {}, name)));
		});
		for (const [posts, x, anchor, dx] of [[from, x1, "end", -8], [to, x2, "start", 12]]) {
			for (const [name, p] of posts) {
				svg.append(s("rect", { class: "post", x: x - (anchor === "end" ? 4 : 0), y: p.y, width: 4, height: p.size }),
					s("text", { x: x + dx, y: p.y + p.size / 2 + 4, "text-anchor": anchor }, name.length > 24 ? name.slice(0, 11) + "…" + name.slice(-12) : name));
			}
		}
		swap($("sankey"), svg);
	}
}
