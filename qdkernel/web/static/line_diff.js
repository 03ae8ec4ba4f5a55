// The shortest edit script between two texts, line by line (Myers 1986, "An O(ND) Difference Algorithm").

const MOST_EDITS = 600; // by thought: a diff longer than this is read as two texts

// Rows [sign, line] with sign "+", "-" or " "; null when the texts differ in more than MOST_EDITS lines.
function diffLines(before, after) {
  const a = before.split("\n"), b = after.split("\n");
  const trace = walkEdits(a, b);
  return trace && backtrack(trace, a, b);
}

function walkEdits(a, b) {
  const most = Math.min(a.length + b.length, MOST_EDITS);
  let furthest = new Map([[1, 0]]);
  const trace = [];
  for (let d = 0; d <= most; d++) {
    trace.push(new Map(furthest));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
      let x = down ? furthest.get(k + 1) : furthest.get(k - 1) + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) { x++; y++; }
      furthest.set(k, x);
      if (x >= a.length && y >= b.length) return trace;
    }
  }
  return null;
}

function backtrack(trace, a, b) {
  const rows = [];
  let x = a.length, y = b.length;
  for (let d = trace.length - 1; d >= 0; d--) {
    const furthest = trace[d], k = x - y;
    const down = k === -d || (k !== d && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
    const before = down ? k + 1 : k - 1;
    const fromX = d ? furthest.get(before) : 0, fromY = d ? fromX - before : 0;
    while (x > fromX && y > fromY) {
      rows.push([" ", a[--x]]);
      y--;
    }
    if (d) rows.push(down ? ["+", b[--y]] : ["-", a[--x]]);
  }
  return rows.reverse();
}

// The rows near a change, and how many lines lie between.
function withContext(rows, context = 3) {
  const near = rows.map((_, at) => rows.slice(Math.max(0, at - context), at + context + 1).some((row) => row[0] !== " "));
  const shown = [];
  let skipped = 0;
  rows.forEach((row, at) => {
    if (!near[at]) { skipped++; return; }
    if (skipped) shown.push(["…", `${skipped} equal lines`]);
    skipped = 0;
    shown.push(row);
  });
  if (skipped) shown.push(["…", `${skipped} equal lines`]);
  return shown;
}
