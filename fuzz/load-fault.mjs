// Loaded before everything else in a child: registers the loader that puts a fault back.
import { register } from "node:module";

register("./fault-hooks.mjs", import.meta.url);
