// The list of runs: chosen ones are compared.

function startList() {
  const button = document.getElementById("compare");
  if (!button) return;
  const chosen = () => [...document.querySelectorAll("input[name='run']:checked")].map((box) => box.value);
  const show = () => { button.disabled = chosen().length < 2; };
  document.addEventListener("change", show);
  button.addEventListener("click", () => {
    location.href = `compare?${chosen().map((name) => `run=${encodeURIComponent(name)}`).join("&")}`;
  });
  show();
}
