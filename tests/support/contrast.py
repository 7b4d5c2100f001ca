"""How well the words of a note stand out from what is behind them, measured in the page."""

# The least that the Web Content Accessibility Guidelines (WCAG 2.2, 1.4.3) ask for text of this size.
LEAST_CONTRAST = 4.5

# Colours are composed as the page does it: each element's text over all backgrounds behind it, the last of which is the
# element that is opaque, or else what the canvas shows there.
MEASURE = """() => {
    const parse = text => {
        const numbers = text.match(/[\\d.]+/g).map(Number);
        if (text.startsWith("color(srgb")) for (let i = 0; i < 3; i++) numbers[i] *= 255;
        return numbers.length < 4 ? [...numbers, 1] : numbers;
    };
    const over = (front, back) => [0, 1, 2].map(i => front[i] * front[3] + back[i] * (1 - front[3])).concat(1);
    const luminance = color => {
        const [red, green, blue] = color.map(value => value / 255)
            .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const root = [...document.querySelectorAll(".comfy-markdown-content, .comfy-markdown .tiptap")]
        .find(element => element.offsetParent);
    if (!root) throw new Error("no note is in view");
    const ofCanvas = () => {
        const canvas = app.canvas.canvas, page = canvas.getBoundingClientRect(), box = root.getBoundingClientRect();
        const ratio = canvas.width / page.width;
        const x = (box.left - page.left + 3) * ratio, y = (box.top - page.top + 1) * ratio;
        return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data.slice(0, 3), 1];
    };
    const behind = element => {
        const layers = [];
        for (let e = element; e && !e.classList.contains("dom-widget"); e = e.parentElement) {
            const color = parse(getComputedStyle(e).backgroundColor);
            if (color[3] > 0) layers.push(color);
            if (color[3] >= 1) break;
        }
        let color = layers.at(-1)?.[3] >= 1 ? layers.pop() : ofCanvas();
        while (layers.length) color = over(layers.pop(), color);
        return color;
    };
    const found = {}, words = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (words.nextNode()) {
        const text = words.currentNode.data.trim(), element = words.currentNode.parentElement;
        if (!text) continue;
        let opacity = 1;
        for (let e = element; e; e = e.parentElement) opacity *= +getComputedStyle(e).opacity;
        const back = behind(element), front = parse(getComputedStyle(element).color);
        front[3] *= opacity;
        const [a, b] = [over(front, back), back].map(luminance);
        found[`${element.tagName.toLowerCase()}: ${text}`] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }
    return found;
}"""


def contrasts(frontend) -> dict[str, float]:
    """Return the contrast, 1 to 21, of each piece of text of the open graph's note: plain, bold, links and code."""
    return frontend.page.evaluate(MEASURE)
