// The page's views, its theme, and the stream that tells it once a second how the daemon stands.

import { $, get, ago } from "./dom.js";
import { Stacks } from "./stacks.js";
import { History } from "./history.js";
import { Traffic } from "./traffic.js";
import { Health } from "./health.js";
import { Manuals } from "./manuals.js";

const views = ["stacks", "traffic", "health", "manuals"];
let about, stacks, history, traffic, health, manuals, source;
let newest = 0; // when the last state came

function view() {
	const name = location.hash.slice(1).split("/")[0];
	return views.includes(name) ? name : "stacks";
}

function show() {
	const now = view();
	for (const name of views) $("view-" + name).hidden = name !== now;
	for (const a of document.querySelectorAll("nav a")) {
		if (a.hash === "#" + now) a.setAttribute("aria-current", "page");
		else a.removeAttribute("aria-current");
	}
	const seen = !document.hidden;
	traffic.run(seen && now === "traffic");
	health.run(seen && now === "health");
	if (now === "stacks") history.resize();
	if (now === "manuals") manuals.show(location.hash.slice(1).split("/").slice(1).map(decodeURIComponent));
	if (seen && !source) listen();
	if (!seen && source) { // nobody looks: it costs nothing
		source.close();
		source = null;
	}
}

function listen() {
	source = new EventSource("/api/events");
	source.addEventListener("state", (e) => {
		newest = Date.now();
		const state = JSON.parse(e.data);
		if (state.changes !== about.changes) { // ulogd reload: other stacks, other places
			location.reload();
			return;
		}
		stacks.update(state);
		history.update(state);
		fresh();
	});
	source.addEventListener("error", () => {
		if (source && source.readyState === EventSource.CLOSED) {
			source = null;
			get("/api/about").catch(() => {}); // leads to the login, if that is why
			setTimeout(() => { if (!source && !document.hidden) listen(); }, 3000);
		}
	});
}

// Nothing older than two seconds is shown without saying so.
function fresh() {
	const age = Date.now() - newest;
	const stale = age > 2000;
	const text = newest === 0 ? "connecting" : stale ? `no news for ${ago(age)}: what is shown is old` : "live";
	if ($("fresh").textContent !== text) $("fresh").textContent = text;
	$("fresh").classList.toggle("stale", stale && newest > 0);
}

function theme(name) {
	document.documentElement.dataset.theme = name;
	$("theme").setAttribute("aria-label", name === "dark" ? "Change to light" : "Change to dark");
}

function keys(e) {
	if (e.ctrlKey || e.altKey || e.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) return;
	if (e.key >= "1" && e.key <= String(views.length)) location.hash = views[Number(e.key) - 1];
	if (e.key === "/") {
		location.hash = "traffic";
		$("words").focus();
		e.preventDefault();
	}
	if (e.key === "Escape") stacks.close();
}

async function main() {
	const kept = localStorage.getItem("theme");
	theme(kept || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
	$("theme").addEventListener("click", () => {
		const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
		localStorage.setItem("theme", next);
		theme(next);
	});
	about = await get("/api/about");
	document.title = "ulogd: " + (about.config.split("/").pop() || "stacks");
	if (about.missing && about.missing.length) {
		$("missing").textContent = "Stacks that do not run; the log says why: " + about.missing.join("  ·  ");
		$("missing").hidden = false;
	}
	stacks = new Stacks(about);
	history = new History(about);
	traffic = new Traffic();
	health = new Health();
	manuals = new Manuals(stacks);
	addEventListener("hashchange", show);
	addEventListener("keydown", keys);
	addEventListener("resize", () => history.resize());
	document.addEventListener("visibilitychange", show);
	setInterval(fresh, 500);
	show();
	await history.load();
}

main().catch((e) => {
	$("fresh").textContent = "the daemon does not answer: " + e.message;
	$("fresh").classList.add("stale");
});
