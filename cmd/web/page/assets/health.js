// What doctor finds, with the commands that mend it, and the log's last lines.

import { $, h, get } from "./dom.js";

export class Health {
	run(seen) {
		if (seen === !!this.running) return;
		this.running = seen;
		clearInterval(this.timer);
		if (!seen) return;
		this.look();
		this.timer = setInterval(() => this.log(), 2000);
	}

	async look() {
		this.log();
		try {
			const found = await get("/api/doctor");
			$("doctor").replaceChildren(...(found.length ? found.map((f) => h("div", { class: "finding" },
				h("b", {}, f.what), h("div", { class: "quiet" }, (f.where || []).join(", ")),
				h("div", {}, f.why), h("div", {}, "Mend it: ", h("code", {}, f.mend)))) : [h("p", {}, "Nothing was found.")]));
		} catch (e) {
			$("doctor").textContent = e.message;
		}
	}

	async log() {
		try {
			const lines = await get("/api/log"), text = lines.join("\n"), box = $("log");
			if (box.textContent === text) return;
			const end = box.scrollHeight - box.scrollTop - box.clientHeight < 20;
			box.textContent = text;
			if (end) box.scrollTop = box.scrollHeight;
		} catch (e) {
			$("log").textContent = e.message;
		}
	}
}
