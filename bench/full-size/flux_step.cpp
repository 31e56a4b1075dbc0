// One evaluation of a FLUX transformer by stable-diffusion.cpp's own FluxRunner, timed: the other side of `bench:12b` and
// `bench:klein`.
// stable-diffusion.cpp counts the blocks that a file has, so a file with one double and one single block is a network.
//
// Usage: flux_step GGUF INPUTS OUTPUT CHANNELS LATENT_SIDE TEXT_TOKENS PROMPT_SIZE POOLED_SIZE THREADS RUNS FLASH(0|1)
// INPUTS are float32 numbers: latents [C, h, w], reference latents [C, h, w], prompt embeddings [tokens, size], pooled
// embeddings [size], noise level, guidance. POOLED_SIZE 0 is FLUX.2 [klein], which reads neither pooled embeddings nor
// guidance. OUTPUT gets the velocity [C, h, w]. Prints one JSON line:
// {"loadSeconds", "seconds", "cpuSeconds" of the processor: [one a run], "peakBytes"}; warnings go to standard error.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "flux.hpp"
#include "model.h"
#include "stable-diffusion.h"

using Clock = std::chrono::steady_clock;

static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

static sd::Tensor<float> read_tensor(std::ifstream& file, std::vector<int64_t> shape) {
    sd::Tensor<float> tensor(shape);
    const auto bytes = static_cast<std::streamsize>(tensor.values().size() * sizeof(float));
    if (!file.read(reinterpret_cast<char*>(tensor.data()), bytes)) {
        std::fprintf(stderr, "The file of inputs is too short.\n");
        std::exit(1);
    }
    return tensor;
}

int main(int argc, char** argv) {
    if (argc != 12) {
        std::fprintf(stderr, "flux_step takes 11 arguments.\n");
        return 1;
    }
    const std::string gguf = argv[1], inputs = argv[2], output = argv[3];
    const int64_t channels = std::atoll(argv[4]), side = std::atoll(argv[5]);
    const int64_t text = std::atoll(argv[6]), prompt_size = std::atoll(argv[7]), pooled_size = std::atoll(argv[8]);
    const int threads = std::atoi(argv[9]), runs = std::atoi(argv[10]);
    const bool flash = std::atoi(argv[11]) != 0;
    const bool is_klein = pooled_size == 0;

    sd_set_log_callback(
        [](sd_log_level_t level, const char* text, void*) {
            if (level >= SD_LOG_WARN) std::fputs(text, stderr);
        },
        nullptr);
    const auto load_started = Clock::now();
    const std::string prefix = "model.diffusion_model";
    ModelLoader loader;
    if (!loader.init_from_file_and_convert_name(gguf, prefix + ".")) {
        std::fprintf(stderr, "stable-diffusion.cpp does not read %s.\n", gguf.c_str());
        return 1;
    }
    ggml_backend_t backend = ggml_backend_cpu_init();
    Flux::FluxRunner runner(backend, false, loader.get_tensor_storage_map(), prefix,
                            is_klein ? VERSION_FLUX2_KLEIN : VERSION_FLUX, false);
    runner.alloc_params_buffer();
    runner.set_flash_attention_enabled(flash);
    std::map<std::string, ggml_tensor*> tensors;
    runner.get_param_tensors(tensors, prefix);
    if (!loader.load_tensors(tensors)) {
        std::fprintf(stderr, "stable-diffusion.cpp does not load %s.\n", gguf.c_str());
        return 1;
    }
    const double load_seconds = seconds_since(load_started);

    std::ifstream file(inputs, std::ios::binary);
    // The first dimension is the one whose neighbours are neighbours in memory.
    const auto latents = read_tensor(file, {side, side, channels, 1});
    const auto reference = read_tensor(file, {side, side, channels, 1});
    const auto prompt = read_tensor(file, {prompt_size, text, 1});
    const auto pooled = is_klein ? sd::Tensor<float>() : read_tensor(file, {pooled_size, 1});
    const auto sigma = read_tensor(file, {1});
    const auto guidance = is_klein ? sd::Tensor<float>() : read_tensor(file, {1});

    std::string times, cpu_times;
    sd::Tensor<float> velocity;
    for (int run = 0; run < runs; run += 1) {
        const auto started = Clock::now();
        const auto cpu_started = std::clock();
        velocity = runner.compute(threads, latents, sigma, prompt, {}, pooled, guidance, {reference}, false);
        const auto cpu_seconds = static_cast<double>(std::clock() - cpu_started) / CLOCKS_PER_SEC;
        times += (run > 0 ? "," : "") + std::to_string(seconds_since(started));
        cpu_times += (run > 0 ? "," : "") + std::to_string(cpu_seconds);
    }
    std::ofstream(output, std::ios::binary)
        .write(reinterpret_cast<const char*>(velocity.data()),
               static_cast<std::streamsize>(velocity.values().size() * sizeof(float)));

    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf("{\"loadSeconds\":%f,\"seconds\":[%s],\"cpuSeconds\":[%s],\"peakBytes\":%ld}\n", load_seconds,
                times.c_str(), cpu_times.c_str(), usage.ru_maxrss * 1024L);
    return 0;
}
