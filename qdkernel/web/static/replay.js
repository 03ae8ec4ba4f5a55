// The archive at an earlier evaluation, and its colors by GFLOP/s or by ratio.

let atRest = new Map(); // how each cell looks at the end of the log
let playing = 0;

function cellsOf() {
  return document.querySelectorAll("[data-panel='archive'] [data-cell]");
}

function rememberRest() {
  atRest = new Map([...cellsOf()].map((cell) => [cell.dataset.cell, [cell.getAttribute("class"), cell.querySelector("text")?.textContent ?? ""]]));
}

function showMoment() {
  const slider = document.getElementById("moment");
  if (!slider || !data.replay) return;
  const steps = data.replay.steps, shown = Number(slider.value), end = shown >= steps.length;
  const byRatio = document.querySelector("#color-by input:checked")?.value === "ratio";
  const held = new Map(steps.slice(0, shown).map((step) => [step[2], step]));
  for (const cell of cellsOf()) {
    const step = held.get(cell.dataset.cell), [look, words] = atRest.get(cell.dataset.cell) ?? ["cell empty", ""];
    const empty = look.includes("unreachable") ? "cell unreachable" : "cell empty";
    const filled = step && `cell v${byRatio ? step[5] : step[3]}`;
    cell.setAttribute("class", filled || (end ? look : empty));
    const text = cell.querySelector("text");
    if (text) text.textContent = step ? (byRatio ? step[6] : step[4]) : end ? words : "";
  }
  const ring = document.querySelector("[data-panel='archive'] .best-ring");
  if (ring) ring.setAttribute("visibility", end ? "visible" : "hidden");
  const top = document.querySelector(".bar-top");
  if (top) top.textContent = byRatio ? `${data.replay.ratio} of baseline` : `${data.replay.gflops} GFLOP/s`;
  const last = steps[shown - 1];
  document.getElementById("moment-words").textContent =
    end ? `now: ${data.replay.evaluations} evaluations, ${held.size} cells`
      : last ? `evaluation ${last[0]}, ${(last[1] / 60).toFixed(1)} min, ${held.size} cells` : "before the first kernel";
}

function togglePlay() {
  const slider = document.getElementById("moment"), button = document.getElementById("play");
  const stop = () => { clearInterval(playing); playing = 0; button.textContent = "▶ replay"; };
  if (playing) return stop();
  if (Number(slider.value) >= Number(slider.max)) slider.value = 0;
  button.textContent = "❚❚ pause";
  const stride = Math.max(1, Math.round(Number(slider.max) / 160));
  playing = setInterval(() => {
    slider.value = Number(slider.value) + stride;
    showMoment();
    if (Number(slider.value) >= Number(slider.max)) stop();
  }, 60);
}

function startReplay() {
  if (!document.getElementById("replay")) return;
  rememberRest();
  document.getElementById("moment").addEventListener("input", showMoment);
  document.getElementById("color-by").addEventListener("change", showMoment);
  document.getElementById("play").addEventListener("click", togglePlay);
  showMoment();
}
