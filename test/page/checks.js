() => {
	// What axe-core looks for: names and roles of what can be operated (WCAG 2.2, 4.1.2), the contrast of all text that is
	// seen (1.4.3), headings and landmarks in order (1.3.1), and that the keyboard reaches everything once (2.1.1, 2.4.3).
	const faults = [];
	const number = (text) => text.match(/[\d.]+/g).map(Number);
	const light = ([r, g, b]) => {
		const part = (c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
	};
	const ground = (e) => {
		for (; e; e = e.parentElement) {
			const c = number(getComputedStyle(e).backgroundColor);
			if (c.length < 4 || c[3] === 1) return c;
		}
		return [255, 255, 255];
	};
	const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0;
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; (n = walk.nextNode());) {
		const e = n.parentElement;
		if (!n.data.trim() || !seen(e) || e.closest(".skip")) continue;
		const svg = e instanceof SVGElement, style = getComputedStyle(e);
		if (e.tagName === "title") continue;
		const a = light(number(svg ? style.fill : style.color)), b = light(ground(e));
		const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)} of "${n.data.trim().slice(0, 40)}"`);
	}
	for (const e of document.querySelectorAll("a, button, input, select, [tabindex='0'], [role=button], [role=img]")) {
		if (!seen(e)) continue;
		const name = e.getAttribute("aria-label") || e.textContent.trim() || (e.labels && e.labels[0] && e.labels[0].textContent.trim());
		if (!name) faults.push("no name: " + e.outerHTML.slice(0, 80));
	}
	const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
	if (new Set(ids).size !== ids.length) faults.push("an id stands twice");
	for (const e of document.querySelectorAll("[aria-controls]")) if (!document.getElementById(e.getAttribute("aria-controls"))) faults.push("aria-controls names nothing");
	const all = (what) => [...document.querySelectorAll(what)].filter(seen), say = (what, e) => faults.push(what + ": " + e.outerHTML.slice(0, 80));
	const operable = "a[href], button, input, select, textarea, summary, [tabindex]";
	const roles = "alert alertdialog application article banner button cell checkbox combobox complementary dialog form grid gridcell group heading img " +
		"link list listbox listitem log main menu menuitem meter navigation none note option presentation progressbar radio region row rowgroup rowheader " +
		"search separator slider spinbutton status switch tab table tablist tabpanel textbox timer toolbar tooltip tree treeitem";
	for (const e of all("[role]")) if (!roles.split(" ").includes(e.getAttribute("role"))) say("no such role", e);
	for (const e of all("[tabindex]")) {
		if (e.tabIndex > 0) say("out of the order of the keyboard", e);
		if (e.tabIndex === 0 && !e.getAttribute("role") && !/^(a|button|input|select|pre|summary)$/i.test(e.tagName)) say("can be reached and has no role", e);
	}
	for (const e of all("[role=button]")) if (e.tabIndex < 0) say("cannot be reached", e);
	for (const e of all("[aria-hidden=true]")) if (e.matches(operable) || e.querySelector(operable)) say("hidden, and can be reached", e);
	for (const e of all("a[href], button, [role=button]")) if (e.querySelector(operable)) say("operable within operable", e);
	for (const e of all("img, svg")) {
		if (!e.closest("[aria-hidden=true]") && !e.getAttribute("alt") && !e.getAttribute("aria-label")) say("no text for a picture", e);
	}
	for (const e of all("*")) {
		const style = getComputedStyle(e), x = e.scrollWidth > e.clientWidth + 1, y = e.scrollHeight > e.clientHeight + 1;
		if ((x && /auto|scroll/.test(style.overflowX) || y && /auto|scroll/.test(style.overflowY)) && e !== document.documentElement &&
			e.tabIndex < 0 && !e.querySelector(operable)) say("scrolls, and the keyboard does not reach it", e);
	}
	const names = all("nav, section[aria-label], [role=region]").map((e) => e.getAttribute("aria-label"));
	if (new Set(names).size !== names.length) faults.push("two landmarks have one name: " + names);
	for (const e of all("th")) if (!e.scope) say("a head of what", e);
	for (const e of all("ul, ol")) if ([...e.children].some((c) => c.tagName !== "LI")) say("a list of other than items", e);
	let level = 0;
	for (const e of all("h1, h2, h3, h4, h5, h6")) {
		const now = Number(e.tagName[1]);
		if (now > level + 1) say("a heading's level is left out", e);
		level = now;
	}
	if (all("h1").length !== 1 || all("main").length !== 1) faults.push("there is not one h1 and one main");
	if (!document.title) faults.push("no title");
	if (/user-scalable=no|maximum-scale/.test((document.querySelector("meta[name=viewport]") || {}).content)) faults.push("cannot be enlarged");
	if (!document.documentElement.lang) faults.push("no language");
	return [...new Set(faults)];
}
