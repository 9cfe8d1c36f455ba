"use strict";
// What a reader types stays in this browser, if it lets us keep anything.
const kept = `jaxvis-lab:${location.pathname}:`;
for (const room of document.querySelectorAll("[data-key]")) {
  const key = kept + room.dataset.key;
  try { room.contentEditable = "plaintext-only"; } catch { /* an older browser: rich text */ }
  try {
    room.textContent = localStorage.getItem(key) ?? "";
  } catch { /* nothing is kept */ }
  room.addEventListener("input", () => {
    const text = room.innerText.replace(/\n$/, "");
    if (!text.trim()) room.replaceChildren();  // empty again, so that lines are printed
    try {
      if (text.trim()) localStorage.setItem(key, text); else localStorage.removeItem(key);
    } catch { /* nothing is kept */ }
  });
}
// On paper nothing is folded.
addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details")) { fold.dataset.was = fold.open; fold.open = true; }
});
addEventListener("afterprint", () => {
  for (const fold of document.querySelectorAll("details")) fold.open = fold.dataset.was === "true";
});
