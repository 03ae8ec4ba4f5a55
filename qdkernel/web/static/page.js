// What every page needs: its data, elements made without markup, choices between views.

const data = JSON.parse(document.getElementById("data").textContent);

// An element with attributes and children; strings become text, never markup.
function make(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "circle", "rect", "text", "title"].includes(name);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Shows the one view of each progress chart whose axis is chosen.
function showAxis() {
  const chosen = document.querySelector("#cost-axis input:checked");
  if (!chosen) return;
  for (const pair of document.querySelectorAll("[data-axis]")) pair.hidden = pair.dataset.axis !== chosen.value;
}

function start() {
  document.getElementById("cost-axis")?.addEventListener("change", showAxis);
  startRecords();
  startReplay();
  startLive();
  startList();
  showAxis();
}
