"""Script of a page with audio: lights the words that sound, and plays what is clicked."""

from __future__ import annotations

__all__ = ["SCRIPT"]

# A word stays lit until the next one, but not into a pause: half a second after its end.
# Texts are never read from the page into markup; without the script the page is still readable.
SCRIPT = """
"use strict";
(() => {
  const audio = document.querySelector("audio");
  const follow = document.getElementById("follow");
  const heads = [...document.querySelectorAll(".head")];
  const words = [...document.querySelectorAll("p [data-s]")].map((element) => ({
    element, begin: Number(element.dataset.s), end: Number(element.dataset.e),
  })).sort((one, other) => one.begin - other.begin);
  const length = Number(document.body.dataset.length);
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let lit = null;
  document.body.classList.add("heard");

  const wordAt = (ms) => {
    let low = 0;
    let high = words.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (words[middle].begin <= ms) low = middle + 1;
      else high = middle;
    }
    const word = words[low - 1];
    return word && ms < word.end + 500 ? word.element : null;
  };

  const reveal = (element) => {
    const box = element.getBoundingClientRect();
    const top = document.querySelector(".player").getBoundingClientRect().bottom;
    if (box.top < top || box.bottom > innerHeight)
      element.scrollIntoView({ block: "center", behavior: calm.matches ? "auto" : "smooth" });
  };

  const show = () => {
    const ms = audio.currentTime * 1000;
    for (const head of heads) head.style.left = `${Math.min(100, (100 * ms) / length)}%`;
    const word = wordAt(ms);
    if (word === lit) return;
    if (lit) lit.classList.remove("now");
    if (word) word.classList.add("now");
    lit = word;
    if (word && follow.checked && !audio.paused) reveal(word);
  };

  const tick = () => {
    show();
    if (!audio.paused && !audio.ended) requestAnimationFrame(tick);
  };

  const play = (ms) => {
    audio.currentTime = ms / 1000;
    show();
    audio.play().catch(() => {}); // the player itself shows why it cannot
  };

  document.addEventListener("click", (event) => {
    const track = event.target.closest(".track");
    const place = event.target.closest("[data-s]");
    if (track) {
      const box = track.getBoundingClientRect();
      play((length * (event.clientX - box.left)) / box.width);
    } else if (place && getSelection().isCollapsed) {
      play(Number(place.dataset.s));
    }
  });
  audio.addEventListener("play", tick);
  for (const name of ["seeked", "timeupdate", "ended"]) audio.addEventListener(name, show);
  audio.addEventListener("error", () => {
    document.getElementById("trouble").hidden = false;
  });
})();
"""
