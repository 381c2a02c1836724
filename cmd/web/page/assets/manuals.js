// The manuals of the plugins in use.

import { $, h, swap, get } from "./dom.js";

export class Manuals {
	constructor(stacks) { this.stacks = stacks; }

	show([kind, name]) {
		const used = [...new Set((this.stacks.plugins || []).map((p) => p.join("/")))].map((p) => p.split("/"));
		swap($("plugins"), used.map(([k, n]) => h("a", { "data-key": k + n, href: `#manuals/${k}/${n}`, "aria-current": k === kind && n === name ? "page" : null }, n)));
		if (!used.length) setTimeout(() => { if (location.hash.startsWith("#manuals")) this.show([kind, name]); }, 500);
		if (!name && used.length) [kind, name] = used[0];
		if (name) this.load(kind, name);
	}

	async load(kind, name) {
		const table = (title, list) => (list && list.length ? [h("h3", {}, title), h("table", {}, list.map((o) => h("tr", {},
			h("th", { scope: "row" }, h("code", {}, o.name)), h("td", { class: "quiet" }, o.type + (o.default ? ", default " + o.default : "")), h("td", {}, o.doc))))] : []);
		try {
			const m = await get(`/api/manual/${encodeURIComponent(kind)}/${encodeURIComponent(name)}`);
			$("manual").replaceChildren(h("h2", {}, `${m.name}, ${m.kind}`), h("p", { class: "doc" }, m.doc), ...table("Options", m.options),
				...table("Keys needed", m.needs), ...table("Keys used where given", m.wants), ...table("Keys given", m.gives),
				...(m.example ? [h("h3", {}, "Example"), h("pre", { class: "panel", tabindex: "0" }, m.example)] : []));
		} catch (e) {
			$("manual").textContent = e.message;
		}
	}
}
