export * from "../../tools/software-gpu.ts";
