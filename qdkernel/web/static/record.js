// The page of one record: opened by a link to #r<number>, closed by Escape or the button.

let packedDetails = null;

// A number with so many decimals; numbers that JSON cannot hold come as null.
function fixed(value, digits) {
  return value === null ? "?" : value.toFixed(digits);
}

// All details of a report, unpacked once.
async function packed() {
  if (packedDetails) return packedDetails;
  const holder = document.getElementById("details");
  if (!holder) return {};
  const bytes = Uint8Array.from(atob(holder.textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  packedDetails = JSON.parse(await new Response(stream).text());
  return packedDetails;
}

async function detailOf(number) {
  if (!data.live) return (await packed())[number] ?? null;
  const answer = await fetch(`record/${number}`);
  return answer.ok ? answer.json() : null;
}

async function openRecord(number) {
  const dialog = document.getElementById("record");
  const record = await detailOf(number);
  if (location.hash !== `#r${number}`) return;
  dialog.replaceChildren(...(record ? recordParts(record) : missingParts(number)));
  dialog.dataset.record = number;
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  if (record) await addDiff(dialog, record);
}

function missingParts(number) {
  const words = data.live ? "The server does not answer, or has no such evaluation." : "Only elites and their ancestors are in this file; qdkernel watch shows every evaluation.";
  return [dialogHead(`Evaluation ${number}`, ""), make("p", {}, words)];
}

function dialogHead(title, idea) {
  const close = make("button", { type: "button" }, "close");
  close.addEventListener("click", () => document.getElementById("record").close());
  return make("div", { class: "dialog-head" }, make("div", {}, make("h2", { id: "record-title" }, title), make("p", {}, idea)), close);
}

function recordParts(record) {
  const title = record.cell || `${record.outcome.replaceAll("_", " ")}, evaluation ${record.number}`;
  return [
    dialogHead(title, record.idea),
    actions(record),
    factList(record.facts.concat(record.levels.map(([axis, level, evidence]) => [axis, evidence ? `${level}: ${evidence}` : level]))),
    record.message ? section("Message", make("pre", {}, record.message)) : null,
    record.timings.length ? section("Timings", ...record.timings.map(timingPart)) : null,
    record.duel ? duelPart(record.duel) : null,
    lineagePart(record.lineage),
    record.parent === null ? null : make("div", { id: "diff" }),
    section("Source", make("pre", { class: "source" }, highlightC(record.source))),
    record.conversation ? conversationPart(record.conversation) : null,
  ].filter(Boolean);
}

function section(title, ...children) {
  return make("section", {}, make("h3", {}, title), ...children);
}

function actions(record) {
  const copy = make("button", { type: "button" }, "copy source");
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(`${record.source}\n`);
    copy.textContent = "copied";
  });
  const save = make("button", { type: "button" }, "download");
  save.addEventListener("click", () => {
    const link = make("a", { href: URL.createObjectURL(new Blob([`${record.source}\n`], { type: "text/plain" })), download: `${record.id.slice(0, 12)}.c` });
    link.click();
    URL.revokeObjectURL(link.href);
  });
  return make("div", { class: "actions" }, copy, save, make("code", {}, record.check));
}

function factList(rows) {
  return make("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function energy(timing) {
  return timing.joules === null ? "" : `; ${fixed(1e3 * timing.joules, 1)} mJ a call, ${fixed(timing.gflop_per_joule ?? 0, 2)} GFLOP/J`;
}

function timingPart(timing) {
  const words = `${timing.size}: ${fixed(timing.gflops, 2)} GFLOP/s, ${fixed(timing.ratio, 3)} [${fixed(timing.low, 3)}, ${fixed(timing.high, 3)}] of the baseline${energy(timing)}`;
  return make("figure", {}, make("figcaption", {}, words),
    strip([["this kernel", "who-kernel", timing.kernel_ns], ["baseline", "who-reference", timing.reference_ns]]));
}

function duelPart(duel) {
  const incumbent = duel.incumbent === null ? duel.incumbent_id : make("a", { href: `#r${duel.incumbent}` }, `#${duel.incumbent}`);
  const words = duel.fault ? `, which failed: ${duel.fault}` : duel.ratio === null ? "" : `: ${fixed(duel.ratio, 3)} [${fixed(duel.low, 3)}, ${fixed(duel.high, 3)}] times as fast`;
  const strips = duel.kernel_ns.map((times, at) => strip([["this kernel", "who-kernel", times], ["incumbent", "who-reference", duel.incumbent_ns[at] ?? []]]));
  return section("Duel", make("p", { class: "none" }, "against the incumbent ", incumbent, words), ...strips);
}

function lineagePart(rows) {
  const head = ["evaluation", "GFLOP/s", "gain", "cell", "operator", "idea"].map((name) => make("th", {}, name));
  const body = rows.map((row) => make("tr", {},
    make("td", {}, make("a", { href: `#r${row.number}` }, `#${row.number}`)),
    make("td", { class: "n" }, row.gflops === null ? "" : row.gflops.toFixed(1)),
    make("td", { class: "n" }, row.gain === null ? "" : `× ${row.gain.toFixed(2)}`),
    make("td", {}, row.cell), make("td", {}, row.model ? `${row.operator}, ${row.model}` : row.operator), make("td", { class: "idea" }, row.idea)));
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...body));
  return section("Lineage, this kernel first; gain over the first parent", make("div", { class: "scroll", tabindex: 0 }, table));
}

async function addDiff(dialog, record) {
  const place = dialog.querySelector("#diff");
  const parent = place && (await detailOf(record.parent));
  if (!parent || !place.isConnected) return;
  const rows = diffLines(parent.source, record.source);
  const looks = { "+": "diff-add", "-": "diff-del", "…": "diff-gap", " ": "" };
  const lines = rows && withContext(rows).map(([sign, line]) => make("span", { class: looks[sign] }, `${sign} ${line}`));
  const title = make("h3", {}, "Changes against ", make("a", { href: `#r${record.parent}` }, `its parent #${record.parent}`));
  place.append(title, rows ? make("pre", { class: "diff" }, ...lines) : make("p", { class: "none" }, "The two differ nearly everywhere."));
}

function conversationPart(conversation) {
  const turns = conversation.turns.map((turn) => {
    const note = turn.note ? `, ${turn.note}` : "";
    const look = turn.role === "reply" ? "reply" : turn.role === "failure" ? "failure-turn" : "";
    const part = make("details", { class: `turn ${look}` }, make("summary", {}, `${turn.role}${note}, ${turn.text.length} characters`), make("pre", {}, turn.text));
    part.open = turn.role === "reply";
    return part;
  });
  const words = `with ${conversation.model}, ended with: ${conversation.ended}${conversation.reason ? ` (${conversation.reason})` : ""}`;
  return section("Conversation", make("p", { class: "none" }, words), ...turns);
}

function followHash() {
  const found = /^#r(\d+)$/.exec(location.hash);
  const dialog = document.getElementById("record");
  if (found) openRecord(Number(found[1]));
  else if (dialog.open) dialog.close();
}

function startRecords() {
  const dialog = document.getElementById("record");
  addEventListener("hashchange", followHash);
  dialog.addEventListener("close", () => {
    if (location.hash.startsWith("#r")) history.replaceState(null, "", location.pathname + location.search);
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#r']");
    if (link && link.getAttribute("href") === location.hash) followHash();
  });
  followHash();
}
