const dialog = document.getElementById("large"), picture = dialog.querySelector("img");
for (const cell of document.querySelectorAll(".cell")) cell.onclick = () => {
  const small = cell.querySelector("img").src;
  picture.onerror = () => { picture.onerror = null; picture.src = small; };
  picture.src = cell.dataset.file || small;
  picture.alt = cell.dataset.label;
  dialog.querySelector("h3").textContent = cell.dataset.label;
  dialog.querySelector(".metrics").textContent = cell.dataset.metrics;
  dialog.querySelector(".doubt").textContent = cell.dataset.problem;
  dialog.querySelector("code").textContent = cell.dataset.command;
  dialog.showModal();
};
dialog.onclick = event => { if (event.target === dialog) dialog.close(); };

for (const table of document.querySelectorAll(".sortable"))
  table.querySelectorAll("th").forEach((head, column) => head.firstChild.onclick = () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("th").forEach(h => h.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = row => { const s = row.cells[column].dataset.sort; return s === "" || isNaN(s) ? s : Number(s); };
    const rows = [...table.tBodies[0].rows].sort((a, b) => { const x = key(a), y = key(b);
      return typeof x === typeof y ? (x < y ? -1 : x > y ? 1 : 0) : typeof x === "number" ? -1 : 1; });
    table.tBodies[0].append(...(down ? rows.reverse() : rows));
  });

// A word's explanation, beside it: on hover, on focus by the keyboard, and on a tap.
const tip = document.getElementById("tip");
const hide = () => { tip.hidden = true; };
const show = word => {
  const entry = document.querySelector((word.dataset.word || word.getAttribute("href")) + " + dd");
  tip.textContent = entry.textContent;
  tip.hidden = false;
  const at = word.getBoundingClientRect(), box = tip.getBoundingClientRect(), edge = 12;
  const above = at.bottom + box.height + edge > innerHeight && at.top > box.height + edge;
  tip.style.left = Math.max(edge, Math.min(at.left, document.documentElement.clientWidth - box.width - edge)) + "px";
  tip.style.top = (above ? at.top - box.height - 6 : at.bottom + 6) + "px";
};
for (const word of document.querySelectorAll("a.word, [data-word]")) {
  word.setAttribute("aria-describedby", "tip");
  word.onmouseenter = word.onfocus = () => show(word);
  word.onmouseleave = word.onblur = hide;
  if (word.matches("a")) word.onclick = event => { event.preventDefault(); show(word); };
}
addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
addEventListener("scroll", hide, { passive: true });
