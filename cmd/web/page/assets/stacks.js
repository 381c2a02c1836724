// The stacks as a graph, left to right: what each instance does a second, what waits in it, and in
// red what it drops or does not get.

import { $, h, s, put, swap, count, octets, ago, meter } from "./dom.js";

const W = 176, H = 108, GAPX = 48, GAPY = 20;
const RECENT = 60000; // ms in which a loss keeps an instance red

// What helps, by the reason that records are dropped or lost.
const remedies = {
	queue_full: "The output is slower than its records come. See what holds it up (its collector, disk or database), raise its option queue, or set when_full = \"block\" where the input may wait.",
	buffer_full: "The collector was away or too slow for longer than the buffer lasts. Raise buffer, or set spool so that messages wait on disk.",
	spool_full: "The collector was away for longer than the spool lasts. Raise spool_max, or bring the collector back.",
	spool_failed: "The spool cannot be written. Look for room and permission on its disk.",
	collector_away: "The collector did not come back before the daemon ended. Set spool to keep what is left for the next run.",
	write_error: "The file cannot be written. Look for room and permission on its disk.",
	no_reader: "Nobody reads the FIFO. Start its reader.",
	slow_reader: "The FIFO's reader is too slow.",
	no_connection: "The other side is away. Bring it back, or let records wait: set queue.",
	send_error: "Nobody listens where the records are sent. Start the receiver, or correct the address.",
	sequence: "The kernel had no room for these packets before they were read. Raise the input's buffer (ulogd doctor says how far the kernel lets it), qthreshold, or log less.",
	unnumbered: "The kernel had no room for these packets before they were read. Raise the input's buffer; ulogd doctor says how far the kernel lets it.",
	destroy_events: "The kernel had no room for these events. Raise netlink_socket_buffer_size and its maximum, or set reliable; ulogd doctor says how far the kernel lets it.",
	new_events: "The kernel had no room for these events. Raise netlink_socket_buffer_size and its maximum; ulogd doctor says how far the kernel lets it.",
	ring: "Packets came faster than they were read. Raise the ring, or capture less with a filter.",
	malformed: "What came does not agree with its own lengths. Look at who sends it.",
	shutdown_timeout: "The end came before all was out. Raise shutdown_timeout.",
};

export class Stacks {
	constructor(about) {
		this.about = about;
		this.nodes = [];
		this.last = null;
		this.open = -1;
		this.losses = [];
		this.what = []; // is wrong, by instance
	}

	/** place lays the instances out in columns: behind everything that feeds them. */
	place() {
		const depth = [], row = [], edges = new Map(), free = [];
		const paths = this.about.paths;
		for (let changed = true; changed;) {
			changed = false;
			for (const p of paths) p.instances.forEach((i, k) => {
				const d = Math.max(depth[i] || 0, k > 0 ? depth[p.instances[k - 1]] + 1 : 0);
				if (depth[i] !== d) { depth[i] = d; changed = true; }
			});
		}
		const last = Math.max(0, ...depth);
		for (const p of paths) depth[p.instances.at(-1)] = last;
		for (const p of paths) {
			let at = 0;
			p.instances.forEach((i, k) => {
				if (row[i] === undefined) {
					row[i] = Math.max(free[depth[i]] || 0, at);
					free[depth[i]] = row[i] + 1;
				}
				at = row[i];
				if (k > 0) edges.set(p.instances[k - 1] + ">" + i, [p.instances[k - 1], i]);
			});
		}
		this.x = depth.map((d) => d * (W + GAPX));
		this.y = row.map((r) => r * (H + GAPY));
		this.edges = [...edges.values()];
	}

	build(state) {
		this.place();
		const width = Math.max(...this.x) + W + 4, height = Math.max(...this.y) + H + 4;
		const lines = s("svg", { width, height, "aria-hidden": "true" });
		this.lines = this.edges.map(([a, b]) => {
			const x1 = this.x[a] + W, y1 = this.y[a] + H / 2, x2 = this.x[b], y2 = this.y[b] + H / 2, mid = (x1 + x2) / 2;
			const e = s("path", { class: "edge", d: `M${x1},${y1} C${mid},${y1} ${mid},${y2} ${x2},${y2}` });
			lines.append(e);
			return e;
		});
		this.nodes = state.instances.map((inst, i) => h("button", {
			class: "node", type: "button", "aria-expanded": "false", "aria-controls": "detail",
			style: { left: this.x[i] + "px", top: this.y[i] + "px" }, onclick: () => this.toggle(i),
		}));
		const canvas = h("div", { class: "canvas", style: { width: width + "px", height: height + "px" } }, lines, this.nodes);
		$("graph").replaceChildren(canvas);
	}

	update(state) {
		state.time = Date.parse(state.at);
		if (!this.nodes.length) this.build(state);
		const before = this.last;
		this.last = state;
		this.plugins = state.instances.map((i) => [i.kind, i.plugin]);
		state.instances.forEach((inst, i) => this.draw(inst, i, before && before.instances[i], before ? (state.time - before.time) / 1000 : 0));
		this.edges.forEach(([a], k) => this.lines[k].classList.toggle("busy", this.rates[a] > 0));
		this.summary(state);
		if (this.open >= 0) this.detail();
	}

	/** summary lists what is red above the graph, which may be wider than the screen. */
	summary(state) {
		const red = state.instances.map((inst, i) => [i, this.what[i] && `${inst.id}: ${this.what[i]}`]).filter(([, text]) => text);
		const text = red.map(([, t]) => t.replace(/\d+/g, "")).join("|");
		if (text === this.told) { // only numbers have changed: the buttons stay
			red.forEach(([, t], k) => { $("losses").children[k].textContent = t; });
			return;
		}
		this.told = text;
		swap($("losses"), red.map(([i, t]) => h("button", { type: "button", class: "alarm", "data-key": i, onclick: () => { if (this.open !== i) this.toggle(i); $("detail").scrollIntoView({ block: "nearest" }); } }, t)));
	}

	draw(inst, i, old, seconds) {
		this.rates = this.rates || [];
		// An output may make more records of one, such as one for each direction, and loses those.
		const did = (x) => (x.kind === "output" ? x.in + x.made : x.out);
		const rate = old && seconds > 0 ? Math.max(0, (did(inst) - did(old)) / seconds) : 0;
		this.rates[i] = rate;
		const bad = (inst.dropped || 0) + (inst.lost || 0);
		// What is dropped comes in bursts: its rate is that of the last while.
		const lately = this.losses[i] = (this.losses[i] || []).filter((x) => this.last.time - x.at < RECENT);
		lately.push({ at: this.last.time, bad });
		const loss = bad > lately[0].bad ? { rate: (bad - lately[0].bad) / ((this.last.time - lately[0].at) / 1000) } : null;
		const away = (inst.peers || []).filter((p) => !p.up);
		let what = "";
		if (inst.down) what = "down: " + inst.down;
		else if (loss) what = `loses ${count(Math.max(1, Math.round(loss.rate)))}/s`;
		else if (away.length) what = "away: " + away.map((p) => p.name).join(", ");
		const red = what !== "";
		this.what[i] = what;
		const bars = [];
		if (inst.queue_max) bars.push(meter((inst.queue || 0) / inst.queue_max, "queue"));
		for (const p of inst.peers || []) {
			if (p.buffer_max) bars.push(meter(p.buffer / p.buffer_max, "buffer of " + p.name));
			if (p.spool_max) bars.push(meter(p.spool / p.spool_max, "spool of " + p.name));
		}
		const figure = (name) => ((inst.figures || []).find((f) => f.name === name) || {}).value || 0;
		if (figure("table_entries_max")) bars.push(meter(figure("table_entries") / figure("table_entries_max"), "table"));
		if (figure("socket_octets_max")) bars.push(meter(figure("socket_octets") / figure("socket_octets_max"), "socket buffer"));
		const n = this.nodes[i];
		n.classList.toggle("bad", red);
		put(n,
			h("b", {}, inst.id), " ", h("span", { class: "quiet" }, inst.plugin), h("br"),
			h("span", { class: "rate" }, count(Math.round(rate)) + "/s"),
			bad && !red ? h("span", { class: "quiet" }, ` (${count(bad)} lost before)`) : null,
			red ? h("div", { class: "what" }, what) : null, bars.slice(0, 4));
	}

	toggle(i) {
		this.open = this.open === i ? -1 : i;
		this.nodes.forEach((n, k) => n.setAttribute("aria-expanded", String(k === this.open)));
		this.shown = "";
		if (this.open < 0) this.close();
		else this.detail();
	}

	close() {
		if (this.open >= 0) this.nodes[this.open].setAttribute("aria-expanded", "false");
		this.open = -1;
		$("detail").hidden = true;
	}

	detail() {
		const i = this.open, inst = this.last.instances[i], docs = this.about.docs[i] || {};
		const key = JSON.stringify(inst);
		if (key === this.shown) return;
		this.shown = key;
		const rows = [];
		const row = (name, value, doc) => rows.push(h("dt", {}, name), h("dd", {}, value, doc ? h("span", { class: "quiet" }, "  " + doc) : null));
		for (const name of ["in", "made", "out", "absorbed", "filtered", "held", "dropped", "lost"]) if (inst[name]) row(name, count(inst[name]));
		if (inst.queue_max) row("queue", `${count(inst.queue || 0)} of ${count(inst.queue_max)} records`);
		if (inst.last) row("last record", ago(this.last.time - Date.parse(inst.last)) + " ago");
		for (const p of inst.peers || []) {
			row(p.name, `${p.up ? "up" : "down"} for ${ago(this.last.time - Date.parse(p.since))}` + (p.error ? `; last error: ${p.error}` : ""));
			if (p.buffer_max) row("its buffer", `${octets(p.buffer)} of ${octets(p.buffer_max)}`);
			if (p.spool_max) row("its spool", `${octets(p.spool)} of ${octets(p.spool_max)}`);
		}
		for (const list of [inst.exclusions, inst.counters, inst.figures]) {
			for (const r of list || []) if (r.value) row(r.name, r.name.includes("octets") ? octets(r.value) : count(r.value), docs[r.name]);
		}
		const reasons = [];
		for (const [word, list] of [["dropped", inst.drops], ["lost", inst.losses]]) {
			for (const r of list || []) {
				if (!r.value) continue;
				reasons.push(h("div", { class: "remedy" },
					h("b", {}, `${count(r.value)} ${word}: ${r.name}. `), docs[r.name] || "", h("br"),
					"Remedy: ", remedies[r.name] || "the manual of the plugin says what this reason is about."));
			}
		}
		if (inst.down) reasons.unshift(h("div", { class: "remedy" }, h("b", {}, "Down: "), inst.down, h("br"), "Remedy: it is tried again until it works; Health says what to mend."));
		for (const p of inst.peers || []) {
			if (!p.up) reasons.unshift(h("div", { class: "remedy" }, h("b", {}, p.name + " takes nothing: "), p.error || "it has not answered yet", h("br"),
				"Remedy: see that it runs and that its address and port are right; records wait as long as queue, buffer and spool have room."));
		}
		swap($("detail"),
			h("h2", {}, inst.id + " ", h("span", { class: "quiet" }, inst.plugin + ", " + inst.kind)),
			reasons, h("dl", {}, rows),
			h("a", { "data-key": "manual", href: `#manuals/${encodeURIComponent(inst.kind)}/${encodeURIComponent(inst.plugin)}` }, "Manual of " + inst.plugin));
		$("detail").hidden = false;
	}
}
