// The live flows as a table, of which only the rows that are seen are in the document.

import { $, h, swap, count, octets, ago } from "./dom.js";

const ROW = 26, MARGIN = 8;
const columns = [
	["proto", "Protocol"], ["src", "From"], ["dst", "To"], ["state", "State"],
	["octets", "Octets", "right", true], ["packets", "Packets", "right", true], ["rate", "Rate", "right"], ["start", "Age", "right", true], ["last", "Last packet", "right", true],
];

export class Flows {
	constructor(add, again) {
		this.add = add;
		this.sort = "octets";
		this.limit = 1000;
		this.rows = [];
		this.before = new Map(); // octets of each flow in the answer before, when they were, and the rate
		this.heads = columns.map(([name, title, side, sorts]) => h("th", { scope: "col", class: side, "aria-sort": name === this.sort ? "descending" : null },
			sorts ? h("button", { type: "button", onclick: () => { this.sort = name; this.order(); again(); } }, title) : title));
		this.body = h("tbody");
		this.table = h("table", {}, h("thead", {}, h("tr", {}, this.heads)), this.body);
		this.grid = h("div", { class: "grid", tabindex: "0", role: "region", "aria-label": "Live flows" }, this.table);
		this.number = h("span", { class: "quiet", role: "status" });
		const most = h("select", { onchange: (e) => { this.limit = Number(e.target.value); again(); } }, [100, 1000, 5000, 20000].map((n) => h("option", { value: n, selected: n === 1000 }, n)));
		this.grid.addEventListener("scroll", () => this.draw());
		$("flows").replaceChildren(h("div", { class: "bar" }, h("label", {}, "At most ", most, " flows"), this.number), this.grid);
	}

	order() {
		columns.forEach(([name], i) => { if (name === this.sort) this.heads[i].setAttribute("aria-sort", "descending"); else this.heads[i].removeAttribute("aria-sort"); });
	}

	update(a) {
		const seen = new Map(), at = Date.parse(a.at);
		const places = new Map(this.rows.map((f, i) => [f.key, i]));
		this.rows = a.flows || [];
		for (const f of this.rows) {
			const key = f.key = [f.id, f.ct_id, f.proto, f.src, f.sport, f.dst, f.dport, f.zone].join(" ");
			f.all = f.octets === undefined ? null : f.octets + (f.reply_octets || 0);
			const old = this.before.get(key), when = f.counted ? Date.parse(f.counted) : at;
			f.rate = null;
			if (f.all !== null && old && old.all !== null) f.rate = when > old.when ? Math.max(0, (f.all - old.all) / ((when - old.when) / 1000)) : old.rate;
			seen.set(key, { all: f.all, when, rate: f.rate });
		}
		if (this.body.querySelector(":focus-visible")) { // whoever walks through the rows with the keyboard finds them in one order
			const place = (f) => places.get(f.key) ?? Infinity;
			this.rows.sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
		}
		this.before = seen;
		this.at = at;
		this.number.textContent = `${count(this.rows.length)} of ${count(a.all.flows)}`;
		this.draw();
	}

	/** draw puts the rows into the document that the window of the grid shows. */
	draw() {
		const first = Math.max(0, Math.floor(this.grid.scrollTop / ROW) - MARGIN);
		const last = Math.min(this.rows.length, Math.ceil((this.grid.scrollTop + this.grid.clientHeight) / ROW) + MARGIN);
		const pad = (n) => h("tr", { "aria-hidden": "true", style: { height: n * ROW + "px" } }, h("td", { colspan: columns.length, style: { padding: 0, border: 0, height: n * ROW + "px" } }));
		const rows = this.rows.slice(first, last).map((f) => this.row(f));
		if (first > 0) rows.unshift(pad(first));
		if (last < this.rows.length) rows.push(pad(this.rows.length - last));
		swap(this.body, rows);
	}

	row(f) {
		const pick = (part, word, text) => h("button", { type: "button", "data-key": part + " " + f.key, onclick: () => this.add(word) }, text);
		const end = (part, address, port) => h("span", {}, pick(part, "addr=" + address, address), port === undefined ? null : [":", pick(part + "port", "port=" + port, port)]);
		const time = (t) => (t ? ago(this.at - Date.parse(t)) : "-");
		const nat = f.reply_src && (f.reply_src !== f.dst || f.reply_dst !== f.src);
		return h("tr", {},
			h("td", {}, pick("proto", "proto=" + f.proto, f.proto_name)),
			h("td", {}, end("src", f.src, f.sport), nat && f.reply_dst !== f.src ? h("span", { class: "quiet" }, " as " + f.reply_dst) : null),
			h("td", {}, end("dst", f.dst, f.dport), nat && f.reply_src !== f.dst ? h("span", { class: "quiet" }, " is " + f.reply_src) : null),
			h("td", {}, f.state || "-"),
			h("td", { class: "right" }, f.all === null ? "-" : octets(f.all)),
			h("td", { class: "right" }, f.packets === undefined ? "-" : count(f.packets + (f.reply_packets || 0))),
			h("td", { class: "right" }, f.rate === null ? "-" : octets(f.rate) + "/s"),
			h("td", { class: "right" }, time(f.start)), h("td", { class: "right" }, time(f.last)));
	}
}
