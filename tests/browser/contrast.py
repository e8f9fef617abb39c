"""Which texts of a page are hard to read? WCAG 2.2, 1.4.3: at least 4.5 to 1 against what lies behind."""

# Colours are painted on a canvas, one ancestor's background over the other, because computed styles may be
# in any colour space. Opacity of elements is not looked at.
LOW_CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const luminance = (colors) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const color of colors) {
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
    }
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((byte) => linear(byte / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const backgrounds = (element) =>
    element ? [...backgrounds(element.parentElement), getComputedStyle(element).backgroundColor] : ["white"];
  const unseen = (element) =>
    !element.checkVisibility({ visibilityProperty: true }) || element.closest(".sr, .skip, noscript, script");
  const low = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const text = texts.currentNode.textContent.trim();
    if (!text || unseen(element)) continue;
    const behind = backgrounds(element);
    const luminances = [luminance(behind), luminance([...behind, getComputedStyle(element).color])];
    const [dark, light] = luminances.sort((a, b) => a - b);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < 4.5) low.add(`${element.outerHTML.slice(0, 80)} ${ratio.toFixed(2)}`);
  }
  return [...low];
}"""
