/** Tensors of several images as one, and the reverse. */
import { DeviceTensor } from "../../runtime/device-tensor.ts";
import type { Tensor } from "../../runtime/session.ts";

/** The same numbers in another shape. */
export const reshaped = (tensor: Tensor, shape: readonly number[]): Tensor =>
  tensor instanceof DeviceTensor ? tensor.reshaped(shape) : { data: tensor.data, shape };

/** Inputs [...] of images that have the same names and shapes: [images, ...]. One image's numbers stay where they are. */
export function stacked(images: readonly Readonly<Record<string, Tensor>>[]): Record<string, Tensor> {
  const [first] = images;
  return Object.fromEntries(
    Object.entries(first!).map(([name, tensor]) => {
      const shape = [images.length, ...tensor.shape];
      if (images.length === 1) return [name, reshaped(tensor, shape)];
      const size = tensor.data.length;
      const data = new Float32Array(images.length * size);
      images.forEach((image, index) => data.set(image[name]!.data as Float32Array, index * size));
      return [name, { data, shape }];
    }),
  );
}

/** Numbers [images, ...] of each image, which its caller owns. */
export function unstacked({ data, shape }: Tensor): Float32Array[] {
  const [count] = shape as [number];
  if (count === 1) return [data as Float32Array];
  const size = data.length / count;
  return Array.from({ length: count }, (_, index) =>
    (data as Float32Array).slice(index * size, (index + 1) * size),
  );
}
