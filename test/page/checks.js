() => {
	// Names of what can be operated, and the contrast of all text that is seen (WCAG 2.2, 1.4.3 and 4.1.2).
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
	if (!document.documentElement.lang) faults.push("no language");
	return [...new Set(faults)];
}
