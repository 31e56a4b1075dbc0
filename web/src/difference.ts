/** How much two images differ, for a chain of edits that should not drift from its original unnoticed. */

const SIDE = 128;

/** Mean difference of their colours, 0 to 1, after scaling both to one small size. */
export async function difference(one: Blob, other: Blob): Promise<number> {
  const [a, b] = await Promise.all([pixels(one), pixels(other)]);
  let sum = 0;
  let count = 0;
  for (let i = 0; i < a.length; i += 1) {
    // Every fourth value is alpha.
    if (i % 4 === 3) continue;
    sum += Math.abs(a[i]! - b[i]!);
    count += 1;
  }
  return sum / count / 255;
}

async function pixels(bytes: Blob): Promise<Uint8ClampedArray> {
  const bitmap = await createImageBitmap(bytes, {
    resizeWidth: SIDE,
    resizeHeight: SIDE,
    resizeQuality: "high",
  });
  const context = new OffscreenCanvas(SIDE, SIDE).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, SIDE, SIDE).data;
}
