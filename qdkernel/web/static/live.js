// The page of a run that goes on: the server tells when there is something new, the page asks for it.

let asking = false;

async function update() {
  if (asking) return;
  asking = true;
  try {
    const answer = await fetch("update");
    if (answer.ok) apply(await answer.json());
  } finally {
    asking = false;
  }
}

// Replaces the panels that changed; choices, slider and an open record stay as they are.
function apply(fresh) {
  const holder = document.createElement("template");
  holder.innerHTML = fresh.body; // made by the templates that made this page: all text in it is escaped
  const slider = document.getElementById("moment");
  const follows = slider && Number(slider.value) >= Number(slider.max);
  for (const panel of holder.content.querySelectorAll("[data-panel]")) {
    const old = document.querySelector(`[data-panel="${panel.dataset.panel}"]`);
    if (!old || old.innerHTML === panel.innerHTML) continue;
    const open = [...old.querySelectorAll("details")].map((part) => part.open);
    old.replaceWith(panel);
    panel.querySelectorAll("details").forEach((part, at) => { part.open = open[at] ?? false; });
  }
  Object.assign(data, fresh.data);
  showAxis();
  if (!slider) return;
  rememberRest();
  slider.max = data.replay.steps.length;
  if (follows) slider.value = slider.max;
  showMoment();
}

function startLive() {
  if (!data.live || !data.events) return;
  new EventSource("events").addEventListener("changed", update);
}
