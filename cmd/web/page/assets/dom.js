// Elements and numbers. Whatever comes from outside becomes text: nothing here parses markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(e, attrs, children) {
	for (const [name, value] of Object.entries(attrs || {})) {
		if (value === null || value === undefined || value === false) continue;
		if (name.startsWith("on")) e.addEventListener(name.slice(2), value);
		else if (name === "style") for (const [p, v] of Object.entries(value)) e.style.setProperty(p, v);
		else e.setAttribute(name, value === true ? "" : value);
	}
	e.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined).map((c) => (c instanceof Node ? c : String(c))));
	return e;
}

/** h makes an element of HTML. */
export const h = (tag, attrs, ...children) => fill(document.createElement(tag), attrs, children);

/** s makes an element of SVG. */
export const s = (tag, attrs, ...children) => fill(document.createElementNS(SVG, tag), attrs, children);

/** put replaces what an element has. */
export function put(e, ...children) {
	e.replaceChildren();
	return fill(e, {}, children);
}

/**
 * swap is put for what is drawn again and again: whoever stands on a part of it with the keyboard then stands on its
 * successor, which has the same data-key.
 */
export function swap(e, ...children) {
	const at = document.activeElement, key = e.contains(at) ? at.dataset.key : undefined;
	put(e, ...children);
	if (key === undefined) return;
	const next = [...e.querySelectorAll("[data-key]")].find((n) => n.dataset.key === key);
	if (next) next.focus({ preventScroll: true });
}

export const $ = (id) => document.getElementById(id);

/** get asks the daemon; a session that has ended leads to the login. */
export async function get(path, signal) {
	const a = await fetch(path, { signal });
	if (a.status === 401) {
		location.assign("/login");
		throw new Error("the session has ended");
	}
	if (!a.ok) throw new Error((await a.text()).trim());
	return a.json();
}

function scaled(v, base, units) {
	let i = 0;
	while (v >= 999.5 && i < units.length - 1) {
		v /= base;
		i++;
	}
	const digits = i === 0 ? (v < 10 && v % 1 ? 1 : 0) : v < 9.995 ? 2 : v < 99.95 ? 1 : 0;
	return v.toFixed(digits) + (units[i] ? " " + units[i] : "");
}

export const count = (n) => (n < 100000 && Number.isInteger(n) ? String(n) : scaled(n, 1000, ["", "k", "M", "G", "T", "P"]));
export const octets = (n) => scaled(n, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);

export function ago(ms) {
	const sec = Math.max(0, Math.round(ms / 1000));
	if (sec < 120) return sec + " s";
	if (sec < 7200) return Math.round(sec / 60) + " min";
	if (sec < 172800) return Math.round(sec / 3600) + " h";
	return Math.round(sec / 86400) + " d";
}

/** meter is a bar with how full something is. */
export function meter(part, name) {
	const percent = Math.round(100 * Math.min(1, Math.max(0, part)));
	return h("span", { class: "meter", role: "img", "aria-label": `${name}: ${percent} %`, title: `${name}: ${percent} %` },
		h("span", { class: percent >= 80 ? "full" : null, style: { width: percent + "%" } }));
}
