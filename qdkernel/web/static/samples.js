// Raw timings as a strip of dots: one row for the kernel, one for what it was timed beside.

const STRIP_WIDTH = 560, STRIP_LEFT = 96, ROW = 30;

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length % 2 ? sorted[(sorted.length - 1) / 2] : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
}

// rows: [name, look, times in nanoseconds]
function strip(rows) {
  const filled = rows.filter((row) => row[2].length);
  const every = filled.flatMap((row) => row[2]);
  if (!every.length) return make("p", { class: "none" }, "No samples were kept.");
  const sorted = [...every].sort((a, b) => a - b);
  const low = sorted[0], slow = sorted[Math.floor(0.9 * (sorted.length - 1))];
  const high = Math.min(sorted[sorted.length - 1], low + 2.5 * (slow - low || low)), span = high - low || 1; // slower ones stand at the edge, hollow
  const unit = high >= 1e6 ? ["ms", 1e6] : high >= 1e3 ? ["µs", 1e3] : ["ns", 1];
  const across = (time) => STRIP_LEFT + ((Math.min(time, high) - low) / span) * (STRIP_WIDTH - STRIP_LEFT - 20);
  const height = filled.length * ROW + 24;
  const label = filled.map(([name, , times]) => `${name}: median ${(median(times) / unit[1]).toPrecision(4)} ${unit[0]}`).join("; ");
  const picture = make("svg", { viewBox: `0 0 ${STRIP_WIDTH} ${height}`, role: "img", "aria-label": label, class: "strip" });
  filled.forEach(([name, look, times], row) => {
    const middle = row * ROW + ROW / 2;
    picture.append(make("text", { x: STRIP_LEFT - 12, y: middle + 4, "text-anchor": "end" }, name));
    times.forEach((time, at) => picture.append(
      make("circle", { cx: across(time), cy: middle + ((at * 7) % 11) - 5, r: 3.2, class: time > high ? "far" : look }, make("title", {}, `${(time / unit[1]).toPrecision(5)} ${unit[0]}`))));
    const at = across(median(times));
    picture.append(make("path", { d: `M${at},${middle - 11}V${middle + 11}`, class: "median" }));
  });
  for (const [at, anchor] of [[low, "start"], [high, "end"]]) {
    const x = anchor === "start" ? STRIP_LEFT : STRIP_WIDTH - 20;
    picture.append(make("text", { x, y: height - 4, "text-anchor": anchor }, `${(at / unit[1]).toPrecision(4)} ${unit[0]}`));
  }
  return picture;
}
