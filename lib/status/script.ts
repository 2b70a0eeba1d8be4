// The page's one script, inline; the content security policy allows exactly this text. It fetches the page anew while somebody looks,
// and puts its parts in place as nodes, never as text that becomes markup here. Without it the page is whole, and stands still.

export const script = `
"use strict";
(() => {
	const everyMs = 5000, slowMs = 10000;
	const find = (id, from = document) => from.getElementById(id);
	const live = find("live"), filter = find("filter"), box = find("find"), found = find("found");
	let failingSince = null, timer = 0, busy = false, touched = new Set(), kept = null;

	/* Somebody is filling in a form, or has marked text: it is left as it is. */
	const inUse = () => {
		const marked = getSelection();
		if (marked && !marked.isCollapsed && find("main").contains(marked.anchorNode)) return "text is marked";
		const fields = [...find("main").querySelectorAll("input, textarea, select")];
		const filled = fields.some((each) => each === document.activeElement || (each.type !== "hidden" && each.value !== each.defaultValue && each.tagName !== "SELECT"));
		return filled ? "a form is being filled in" : null;
	};

	/* What has the focus, or else the first part that is in sight, stays where it is. */
	const anchor = () => {
		const seen = (each) => each.getBoundingClientRect().bottom > 0 && each.getBoundingClientRect().top < innerHeight;
		const focused = document.activeElement && document.activeElement.closest("main [id]");
		const part = focused && seen(focused) ? focused : [...find("main").querySelectorAll("[id]")].find(seen);
		if (!part || scrollY <= 0) return null;
		const top = part.getBoundingClientRect().top;
		/* Pages scroll by whole pixels: it goes where it was to be, or what is lost each time adds up. */
		return kept && kept.id === part.id && Math.abs(top - kept.top) < 1 ? kept : { id: part.id, top };
	};

	const replace = (next) => {
		const held = anchor(), focused = document.activeElement && document.activeElement.closest("main [id]");
		const onSummary = focused && document.activeElement.tagName === "SUMMARY";
		const open = new Map([...find("main").querySelectorAll("details[id]")].map((each) => [each.id, each.open]));
		const main = document.adoptNode(find("main", next));
		/* A page that became too short would be scrolled up by the browser. */
		document.documentElement.style.minHeight = held ? scrollY + innerHeight + "px" : "";
		for (const each of main.querySelectorAll("details[id]")) if (touched.has(each.id) && open.has(each.id)) each.open = open.get(each.id);
		find("main").replaceWith(main);
		document.title = next.title;
		if (find("alarms").textContent !== find("alarms", next).textContent) find("alarms").replaceChildren(...document.adoptNode(find("alarms", next)).childNodes);
		const again = focused && find(focused.id);
		if (again) (onSummary ? again.querySelector("summary") : again).focus({ preventScroll: true });
		search(false);
		const part = held && find(held.id);
		if (part) scrollBy({ top: part.getBoundingClientRect().top - held.top, behavior: "instant" });
		kept = held;
	};

	const say = (text, bad) => {
		if (live.textContent !== text) live.textContent = text;
		live.className = bad ? "alarm" : "";
		document.body.classList.toggle("old", bad);
	};

	const failed = (why) => {
		failingSince ??= new Date();
		say("No answer since " + failingSince.toISOString().slice(11, 19) + " UTC, and what is shown is older: " + why, true);
	};

	const refresh = async () => {
		clearTimeout(timer);
		if (busy || document.hidden) return;
		busy = true;
		try {
			const used = inUse();
			if (used) say("Paused while " + used, false);
			else {
				const answer = await fetch(location.href.split("#")[0], { headers: { accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(slowMs) });
				const next = new DOMParser().parseFromString(await answer.text(), "text/html");
				if (!answer.ok || !find("main", next)) {
					const told = next.querySelector(".alarm");
					failed(told ? told.textContent : "the app answered " + answer.status);
				} else if (!document.hidden && !inUse()) {
					failingSince = null;
					replace(next);
					say("Live", false);
				}
			}
		} catch (error) {
			failed(error.name === "TimeoutError" ? "the app did not answer in time" : "the app could not be reached");
		} finally {
			busy = false;
			clearTimeout(timer);
			timer = setTimeout(refresh, everyMs);
		}
	};

	const search = (typed) => {
		const words = box.value.trim().toLowerCase();
		let hits = 0;
		const clusters = [...find("main").querySelectorAll("details.cluster")];
		for (const each of clusters) {
			const hit = words === "" || each.textContent.toLowerCase().includes(words);
			each.hidden = !hit;
			if (hit) hits++;
		}
		for (const each of find("main").querySelectorAll("section.group")) each.hidden = words !== "" && !each.querySelector("details.cluster:not([hidden])");
		for (const each of find("main").querySelectorAll("details.fold")) if (words !== "" && each.querySelector("details.cluster:not([hidden])")) each.open = true;
		if (typed && words !== "" && hits <= 10) for (const each of clusters) if (!each.hidden) { each.open = true; touched.add(each.id); }
		found.textContent = words === "" ? "" : hits === 1 ? "1 cluster" : hits + " clusters";
	};

	/* What a person opened or closed stays so; the rest is as the server says. */
	document.addEventListener("click", (event) => {
		const summary = event.target.closest && event.target.closest("summary");
		if (summary && summary.parentElement.id) touched.add(summary.parentElement.id);
	});
	document.addEventListener("visibilitychange", () => document.hidden ? clearTimeout(timer) : refresh());
	const reveal = () => {
		let part = find(location.hash.slice(1));
		for (; part; part = part.parentElement) if (part.tagName === "DETAILS") { part.open = true; if (part.id) touched.add(part.id); }
	};
	addEventListener("hashchange", reveal);
	box.addEventListener("input", () => search(true));
	filter.addEventListener("submit", (event) => event.preventDefault());
	filter.hidden = false;
	/* What the controls answered is told once. */
	const address = new URL(location.href);
	if (address.searchParams.has("told")) { address.searchParams.delete("told"); history.replaceState(null, "", address); }
	reveal();
	say("Live", false);
	timer = setTimeout(refresh, everyMs);
})();
`;
