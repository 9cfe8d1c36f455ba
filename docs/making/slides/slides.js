// A slide that is too tall for the room gets smaller letters, so that nothing is cut off.
Reveal.initialize({ hash: true, slideNumber: "c/t", width: 1160, height: 700, margin: 0.04, center: false,
  transition: "none", controls: true, progress: true }).then(() => {
  const height = 690;
  function fit(slide) {
    if (!slide || slide.dataset.fitted) return;
    slide.dataset.fitted = "yes";
    for (let size = 100; slide.scrollHeight > height && size > 44; size -= 4) {
      slide.style.fontSize = `${size - 4}%`;
      for (const image of slide.querySelectorAll("img")) image.style.maxHeight = `${4.7 * (size - 4)}px`;
    }
  }
  fit(Reveal.getCurrentSlide());
  Reveal.on("slidechanged", (event) => fit(event.currentSlide));
});
