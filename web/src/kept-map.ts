/** What became of each pixel, as colours over the result: copied, carried over, or drawn. */
import { element } from "./dom.ts";
import type { PreserveShares } from "./api.ts";

/** The overlay never has longer sides: it shows regions, not pixels. */
const MAX_SIDE = 1024;
const ALPHA = 140;
/** Of the map's grey levels: black was drawn, grey carried over, white copied. */
const COLOURS = [
  { below: 64, colour: [200, 40, 110], name: "drawn", label: "drawn by the network" },
  { below: 192, colour: [230, 170, 20], name: "carried", label: "your detail in new light or colour" },
  { below: 256, colour: [30, 140, 100], name: "kept", label: "your own pixels" },
] as const;

/** @param map as the server makes it: a grey picture of the result's size */
export async function drawMap(map: Blob): Promise<HTMLCanvasElement> {
  const bitmap = await createImageBitmap(map);
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = element("canvas", {
    width: Math.max(1, Math.round(bitmap.width * scale)),
    height: Math.max(1, Math.round(bitmap.height * scale)),
    class: "map",
    role: "img",
    "aria-label": "What was kept, carried over and drawn",
  });
  const context = canvas.getContext("2d")!;
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < image.data.length; at += 4) {
    const { colour } = COLOURS.find(({ below }) => image.data[at]! < below)!;
    image.data.set([...colour, ALPHA], at);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** The colours and what they stand for, with the shares where they are known. */
export function mapLegend(shares: PreserveShares | undefined): HTMLElement {
  return element(
    "ul",
    { class: "legend" },
    ...COLOURS.toReversed().map(({ name, label }) => {
      const share = shares?.[name];
      const percent = share === undefined ? "" : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)}% `;
      return element("li", { class: `legend-${name}` }, `${percent}${label}`);
    }),
  );
}
