// C source as spans for keywords, comments, texts, numbers and preprocessor lines.

const C_KEYWORDS = new Set((
  "auto break case char const continue default do double else enum extern float for goto if inline int long register " +
  "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Alignas " +
  "_Bool size_t ptrdiff_t int32_t int64_t uint32_t uint64_t bool"
).split(" "));

const C_TOKEN = /(\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*)|("(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)|(^[ \t]*#[^\n]*)|(\b(?:0[xX][\da-fA-F]+|\d[\d.]*(?:[eE][+-]?\d+)?)[uUlLfF]*)|([A-Za-z_]\w*)(?=(\s*\()?)/gm;

function highlightC(source) {
  const made = document.createDocumentFragment();
  let last = 0;
  for (const match of source.matchAll(C_TOKEN)) {
    const [word, comment, text, directive, number, name, call] = match;
    const look = comment ? "c" : text ? "s" : directive ? "p" : number ? "n" : C_KEYWORDS.has(name) ? "k" : call ? "f" : "";
    if (!look) continue;
    made.append(source.slice(last, match.index), make("span", { class: `hl-${look}` }, word));
    last = match.index + word.length;
  }
  made.append(source.slice(last));
  return made;
}
