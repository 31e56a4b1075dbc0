/** What ships with this package. */
import { fileURLToPath } from "node:url";

/** The checkpoint in this package: a small one for clip-art scenes. */
export const SHIPPED_CHECKPOINT = fileURLToPath(new URL("../../checkpoints/tiny", import.meta.url));
