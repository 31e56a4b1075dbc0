/**
 * Sizes of an autoencoder in a single file, read from the shapes of its weights. What no shape shows comes from the
 * configuration in the checkpoint's folder, or is as published.
 */
import { Config } from "../../weights/config.ts";
import type { TensorFile } from "../../weights/tensor-file.ts";
import { type AutoencoderConfig, readAutoencoderConfig } from "../autoencoders/autoencoder-config.ts";
import {
  type Flux2AutoencoderConfig,
  readFlux2AutoencoderConfig,
} from "../autoencoders/flux2-autoencoder-config.ts";

/** What a layout calls the parts that show the sizes. */
interface Names {
  down: string;
  up: string;
  blocks: string;
  attention: string;
  /** The same within a level; undefined where no level has any. */
  levelAttention?: string;
  /** The convolutions beside the latents, of which a layout may have either name. */
  quantConv: readonly string[];
  postQuantConv: readonly string[];
  /** Whether the decoder's levels are numbered from the finest. */
  isUpFinestFirst: boolean;
}

/** Of the original repositories, and of ComfyUI. */
const ORIGINAL: Names = {
  down: "encoder.down",
  up: "decoder.up",
  blocks: "block",
  attention: "encoder.mid.attn_1.norm",
  quantConv: ["quant_conv", "encoder.quant_conv"],
  postQuantConv: ["post_quant_conv", "decoder.post_quant_conv"],
  isUpFinestFirst: true,
};

const DIFFUSERS: Names = {
  down: "encoder.down_blocks",
  up: "decoder.up_blocks",
  blocks: "resnets",
  attention: "encoder.mid_block.attentions.0.group_norm",
  levelAttention: "attentions.0.group_norm",
  quantConv: ["quant_conv"],
  postQuantConv: ["post_quant_conv"],
  isUpFinestFirst: false,
};

/** What no shape of FLUX.1's shows (black-forest-labs/FLUX.1-Kontext-dev, `vae/config.json`). */
const PUBLISHED = { norm_num_groups: 32, scaling_factor: 0.3611, shift_factor: 0.1159, sample_size: 1024 };

/** The sizes of FLUX.1's autoencoder. @param folder the configuration in the checkpoint's folder, if there is one */
const sizesOf =
  (names: Names) =>
  (file: TensorFile, folder: Config | undefined): AutoencoderConfig =>
    readAutoencoderConfig(
      configOf(file, folder, { ...(folder?.fields ?? PUBLISHED), ...fieldsOf(file, names) }),
    );

export const originalAutoencoderSizes = sizesOf(ORIGINAL);
export const diffusersAutoencoderSizes = sizesOf(DIFFUSERS);

/** The same of FLUX.2's, whose published values are its class's defaults. */
const flux2SizesOf =
  (names: Names) =>
  (file: TensorFile, folder: Config | undefined): Flux2AutoencoderConfig =>
    readFlux2AutoencoderConfig(
      configOf(file, folder, {
        ...folder?.fields,
        ...fieldsOf(file, names),
        decoder_block_out_channels: decoderWidths(file, names),
      }),
    );

export const originalFlux2AutoencoderSizes = flux2SizesOf(ORIGINAL);
export const diffusersFlux2AutoencoderSizes = flux2SizesOf(DIFFUSERS);

/** Its messages name the folder's configuration where there is one. */
const configOf = (file: TensorFile, folder: Config | undefined, fields: Record<string, unknown>): Config =>
  new Config(folder?.file ?? file.file, fields);

function fieldsOf(file: TensorFile, names: Names): Record<string, unknown> {
  const { down, up, blocks, attention, quantConv, postQuantConv } = names;
  const levels = levelsBelow(file, down);
  const hasOneOf = (layers: readonly string[]): boolean => layers.some((name) => file.has(`${name}.weight`));
  return {
    in_channels: file.dimension("encoder.conv_in.weight", 1),
    latent_channels: file.dimension("decoder.conv_in.weight", 1),
    block_out_channels: levels.map((level) => levelWidth(file, `${down}.${level}.${blocks}`)),
    out_channels: file.dimension("decoder.conv_out.weight", 0),
    // By their places in the list of their half, as the file numbers them where a level can have attention.
    down_block_types: levels.map((level) =>
      kindOf(file, names, { half: down, level, kind: "DownEncoderBlock2D" }),
    ),
    up_block_types: levels.map((level) => kindOf(file, names, { half: up, level, kind: "UpDecoderBlock2D" })),
    layers_per_block: file.countBelow(`${down}.0.${blocks}`),
    mid_block_add_attention: file.has(`${attention}.weight`),
    use_quant_conv: hasOneOf(quantConv),
    use_post_quant_conv: hasOneOf(postQuantConv),
  };
}

/** The class of a level: with attention, if the file has any there. */
function kindOf(
  file: TensorFile,
  { levelAttention }: Names,
  { half, level, kind }: { half: string; level: number; kind: string },
): string {
  const hasAttention = levelAttention !== undefined && file.has(`${half}.${level}.${levelAttention}.weight`);
  return hasAttention ? `Attn${kind}` : kind;
}

/** Finest first. */
function decoderWidths(file: TensorFile, { up, blocks, isUpFinestFirst }: Names): number[] {
  const widths = levelsBelow(file, up).map((level) => levelWidth(file, `${up}.${level}.${blocks}`));
  return isUpFinestFirst ? widths : widths.toReversed();
}

const levelsBelow = (file: TensorFile, prefix: string): number[] =>
  Array.from({ length: file.countBelow(prefix) }, (_, level) => level);

const levelWidth = (file: TensorFile, blocks: string): number =>
  file.dimension(`${blocks}.0.conv1.weight`, 0);
