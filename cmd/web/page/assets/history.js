// Curves of the last hour: what the daemon has kept, and what the stream adds to it.

import { $, h, s, swap, get, count, octets } from "./dom.js";

const HEIGHT = 220, LEFT = 58, BOTTOM = 20, TOP = 8, HOUR = 3600000, STEP = 5000;

export class History {
	constructor(about) {
		this.about = about;
		this.times = [];
		this.rows = []; // by instance: {records, out, lost, octets}
		this.names = [];
		this.hidden = new Set();
		this.zoom = null;
		$("measure").addEventListener("change", () => this.draw());
		$("whole").addEventListener("click", () => { this.zoom = null; this.draw(); });
	}

	async load() {
		const kept = await get("/api/series");
		this.times = kept.times;
		this.rows = kept.instances;
		this.draw();
	}

	/** update takes what the stream tells, as often as the daemon keeps it. */
	update(state) {
		const now = Date.parse(state.at);
		this.names = state.instances.map((i) => i.id + ":" + i.plugin);
		if (!this.rows.length || now - this.times.at(-1) < STEP - 200) return;
		this.times.push(now);
		state.instances.forEach((x, i) => {
			const octetsOf = (x.counters || []).filter((c) => c.name.endsWith("_octets")).reduce((n, c) => n + c.value, 0);
			const r = this.rows[i];
			r.records.push(x.kind === "filter" ? x.in : x.in + x.made);
			r.out.push(x.out);
			r.lost.push(x.dropped + x.lost);
			r.octets.push(octetsOf);
		});
		while (this.times.length && now - this.times[0] > HOUR) {
			this.times.shift();
			for (const r of this.rows) for (const list of Object.values(r)) list.shift();
		}
		if (!this.dragging) this.draw();
	}

	resize() { if (this.times.length) this.draw(); }

	/** curves are the rates of the chosen measure: differences a second. */
	curves() {
		const measure = $("measure").value;
		return this.rows.map((r, i) => {
			const list = r[measure], rates = [];
			for (let k = 1; k < list.length; k++) rates.push(Math.max(0, (list[k] - list[k - 1]) / ((this.times[k] - this.times[k - 1]) / 1000)));
			return { i, name: this.names[i] || String(i), rates };
		}).filter((c) => measure === "records" || c.rates.some((v) => v > 0));
	}

	draw() {
		if ($("view-stacks").hidden) return;
		const box = $("history"), width = Math.max(280, box.clientWidth - 18);
		const unit = $("measure").value === "octets" ? octets : (v) => count(v < 10 ? Math.round(v * 10) / 10 : Math.round(v));
		const to = this.zoom ? this.zoom[1] : this.times.at(-1) || Date.now();
		const from = this.zoom ? this.zoom[0] : Math.min(this.times[0] || to, to - 60000);
		$("whole").hidden = !this.zoom;
		const curves = this.curves(), shown = curves.filter((c) => !this.hidden.has(c.name));
		let most = 0;
		for (const c of shown) c.rates.forEach((v, k) => { if (this.times[k + 1] >= from && this.times[k + 1] <= to) most = Math.max(most, v); });
		most = most || 1;
		const x = (t) => LEFT + (t - from) / (to - from) * (width - LEFT - 8);
		const y = (v) => TOP + (1 - v / most) * (HEIGHT - TOP - BOTTOM);
		const svg = s("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", tabindex: "0", "data-key": "curves",
			"aria-label": "Curves of the last hour: " + (shown.map((c) => `${c.name} now ${unit(c.rates.at(-1) || 0)} a second`).join("; ") || "nothing to show") });
		for (let k = 0; k <= 4; k++) {
			const v = most * k / 4;
			svg.append(s("line", { class: "grid", x1: LEFT, x2: width - 8, y1: y(v), y2: y(v) }), s("text", { x: LEFT - 6, y: y(v) + 4, "text-anchor": "end" }, unit(v)));
		}
		for (let k = 0; k <= 4; k++) {
			const t = from + (to - from) * k / 4;
			svg.append(s("text", { x: x(t), y: HEIGHT - 5, "text-anchor": k === 0 ? "start" : k === 4 ? "end" : "middle" }, new Date(t).toLocaleTimeString()));
		}
		for (const c of shown) {
			let d = "";
			c.rates.forEach((v, k) => { const t = this.times[k + 1]; if (t >= from - STEP && t <= to) d += (d ? "L" : "M") + x(t).toFixed(1) + "," + y(v).toFixed(1); });
			svg.append(s("path", { d: d || "M0,0", style: { stroke: `var(--c${c.i % 8})` } }));
		}
		this.scale = { from, to, x, width, shown, unit };
		this.listen(svg);
		const legend = h("div", { class: "legend" }, curves.map((c) => h("button", {
			type: "button", "data-key": c.name, "aria-pressed": String(!this.hidden.has(c.name)),
			onclick: () => { if (!this.hidden.delete(c.name)) this.hidden.add(c.name); this.draw(); },
		}, h("span", { class: "swatch", style: { background: `var(--c${c.i % 8})` } }), c.name, " ", h("span", { class: "right", "data-value": c.name }, unit(c.rates.at(-1) || 0) + "/s"))));
		swap(box, h("div", { class: "chart" }, svg, legend));
		if (this.at) this.point(svg, this.at);
	}

	/** listen has the pointer and the arrow keys show values, and dragging zoom. */
	listen(svg) {
		const sc = this.scale;
		const time = (e) => {
			const r = svg.getBoundingClientRect(), px = (e.clientX - r.left) / r.width * sc.width;
			return sc.from + Math.min(1, Math.max(0, (px - LEFT) / (sc.width - LEFT - 8))) * (sc.to - sc.from);
		};
		svg.addEventListener("pointermove", (e) => {
			this.point(svg, time(e));
			if (this.dragging) {
				svg.querySelectorAll(".span").forEach((n) => n.remove());
				const a = sc.x(this.dragging), b = sc.x(time(e));
				svg.append(s("rect", { class: "span", x: Math.min(a, b), y: TOP, width: Math.abs(a - b), height: HEIGHT - TOP - BOTTOM }));
			}
		});
		svg.addEventListener("pointerleave", () => { this.at = null; this.dragging = null; this.draw(); });
		svg.addEventListener("pointerdown", (e) => { this.dragging = time(e); });
		svg.addEventListener("pointerup", (e) => {
			const a = this.dragging, b = time(e);
			this.dragging = null;
			if (a && Math.abs(sc.x(a) - sc.x(b)) > 12) this.zoom = [Math.min(a, b), Math.max(a, b)];
			this.draw();
		});
		svg.addEventListener("keydown", (e) => {
			const step = { ArrowLeft: -STEP, ArrowRight: STEP }[e.key];
			if (e.key === "+" || e.key === "-") this.closer(e.key === "+");
			if (!step) return;
			e.preventDefault();
			this.point(svg, Math.min(sc.to, Math.max(sc.from, (this.at || sc.to) + step)));
		});
	}

	/** closer halves the time that is shown, around the cursor, or doubles it. */
	closer(halve) {
		const { from, to } = this.scale, at = this.at || to, half = (to - from) * (halve ? 0.25 : 1);
		const last = this.times.at(-1), first = Math.min(this.times[0], last - 60000), begin = Math.max(first, Math.min(at - half, last - 2 * half));
		this.zoom = begin === first && begin + 2 * half >= last ? null : [begin, Math.min(last, begin + 2 * half)];
		this.draw();
	}

	/** point shows the values at a time. */
	point(svg, t) {
		this.at = t;
		let k = 1;
		while (k < this.times.length - 1 && this.times[k] < t) k++;
		const sc = this.scale;
		svg.querySelectorAll(".cursor").forEach((n) => n.remove());
		svg.append(s("line", { class: "cursor", x1: sc.x(t), x2: sc.x(t), y1: TOP, y2: HEIGHT - BOTTOM }));
		for (const c of sc.shown) {
			for (const e of svg.parentNode.querySelectorAll("[data-value]")) {
				if (e.dataset.value === c.name) e.textContent = `${sc.unit(c.rates[k - 1] || 0)}/s at ${new Date(this.times[k]).toLocaleTimeString()}`;
			}
		}
	}
}
