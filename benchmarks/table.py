"""The results of `make bench` as a table in Markdown."""

from typing import Any

# What is shown, where it lies, how it is written, and what it is hoped to be.
ROWS = (
    ("Training, one seed: times as fast as the listings", "training.speedup_one_seed", "{:.2f}", "≥ 5"),
    ("Training, three seeds: times as fast as the listings", "training.speedup_three_seeds", "{:.2f}", "≥ 7"),
    ("One seed: times as many operations in the listings", "training.operations_ratio_one_seed", "{:.2f}", ""),
    ("Three seeds: times as many operations in the listings", "training.operations_ratio_three_seeds", "{:.2f}", ""),
    ("Listings over their own limit", "training.listings_over_limit", "{:.2f}", ""),
    ("Listings, seconds", "training.listings_s", "{:.1f}", ""),
    ("One seed, features and graphs included, seconds", "training.one_seed_s", "{:.1f}", ""),
    ("of which graphs, seconds", "training.graphs_s", "{:.1f}", ""),
    ("Training in steady state over its limit", "training.over_limit", "{:.2f}", "≤ 1.6"),
    ("Features over their limit", "features.over_limit", "{:.2f}", "≤ 1.25"),
    ("Best float32 matrix rate, GFLOP/s", "training.matrix_rate_gflops", "{:.0f}", ""),
    ("Features at 96 px over PyTorch's rate", "features.vs_pytorch_96", "{:.2f}", "≥ 1"),
    ("Features at 224 px over PyTorch's rate", "features.vs_pytorch_224", "{:.2f}", "≥ 1"),
    ("Decode and resize over the best rival's rate", "input.vs_best", "{:.2f}", "≥ 1"),
    ("Time per image, 16,000 images over 1,000", "growth.time_per_image_ratio", "{:.2f}", "≤ 1.1"),
    ("Peak memory, 16,000 images over 1,000", "growth.peak_memory_ratio", "{:.2f}", "≈ 1"),
    ("Peak memory of training from streamed images, likewise", "growth.streaming_peak_memory_ratio", "{:.2f}", "≈ 1"),
    ("Warm `dvc repro`, seconds", "waiting.warm_repro_s", "{:.1f}", ""),
    ("One more seed, seconds", "waiting.one_more_seed_s", "{:.0f}", ""),
    ("Seven more seeds, ten in all, seconds", "waiting.seven_more_seeds_s", "{:.0f}", ""),
    ("A head-only experiment, three seeds, seconds", "waiting.head_only_s", "{:.0f}", ""),
    ("Test accuracy of fusion from float32 activations", "float16.fusion_accuracy_float32", "{:.4f}", ""),
    ("Test accuracy of fusion from float16 activations", "float16.fusion_accuracy_float16", "{:.4f}", ""),
    ("Test accuracy of sequential from float32 activations", "float16.sequential_accuracy_float32", "{:.4f}", ""),
    ("Test accuracy of sequential from float16 activations", "float16.sequential_accuracy_float16", "{:.4f}", ""),
)

# Kept apart, with a day and machine of their own: the paper prints nothing of them.
SHARING_ROWS = (
    (
        "Through 1 Gbit/s: `dvc push` to SSH over `rsync`",
        "sharing.network_ssh_push_ratio",
        "{:.2f}",
        "≤ 1.5",
    ),
    ("`dvc pull` from SSH over `rsync` and `cp`", "sharing.network_ssh_pull_ratio", "{:.2f}", "≤ 1.5"),
    ("`make pull` from SSH over `rsync` and `cp`", "sharing.network_ssh_checked_pull_ratio", "{:.2f}", "≤ 1.5"),
    ("`dvc push` to S3 over the server's own client", "sharing.network_s3_push_ratio", "{:.2f}", "≤ 1.5"),
    ("`dvc pull` from S3 over the server's own client and `cp`", "sharing.network_s3_pull_ratio", "{:.2f}", "≤ 1.5"),
    ("`make pull` from S3, likewise", "sharing.network_s3_checked_pull_ratio", "{:.2f}", "≤ 1.5"),
    ("`dvc pull` through HTTP over `wget` and `cp`", "sharing.network_http_pull_ratio", "{:.2f}", "≤ 1.5"),
    ("`make pull` through HTTP, likewise", "sharing.network_http_checked_pull_ratio", "{:.2f}", "≤ 1.5"),
    ("On one machine: `dvc push` to a folder over `cp`", "sharing.folder_push_ratio", "{:.2f}", "≤ 1.5"),
    ("`dvc pull` from a folder over two `cp`", "sharing.folder_pull_ratio", "{:.2f}", "≤ 1.5"),
    ("`dvc push` to a folder, seconds", "sharing.folder_push_s", "{:.1f}", ""),
    ("of which with nothing to send, seconds", "sharing.folder_push_again_s", "{:.1f}", ""),
    ("`dvc push` through SSH over `rsync`", "sharing.ssh_push_ratio", "{:.2f}", "≤ 1.5"),
    ("`dvc pull` through SSH over `rsync` and `cp`", "sharing.ssh_pull_ratio", "{:.2f}", "≤ 1.5"),
    ("`dvc push` to S3 over the server's own client", "sharing.s3_push_ratio", "{:.2f}", "≤ 1.5"),
    ("`dvc pull` from S3 over the server's own client and `cp`", "sharing.s3_pull_ratio", "{:.2f}", "≤ 1.5"),
    ("`dvc pull` through HTTP over `wget` and `cp`", "sharing.http_pull_ratio", "{:.2f}", "≤ 1.5"),
    ("Files", "sharing.num_files", "{:.0f}", ""),
    ("Megabytes", "sharing.megabytes", "{:.0f}", ""),
)

# Kept apart, likewise. Where the goal is 0, nothing is what was hoped for.
CLUSTER_ROWS = (
    ("Features, two workers: times as fast as one", "workers.two_workers_speedup", "{:.2f}", "≥ 1.8"),
    ("Features, one worker of Ray over `local`", "workers.ray_over_local", "{:.2f}", "≤ 1.15"),
    ("`local`, seconds", "workers.local_s", "{:.1f}", ""),
    ("One worker, seconds", "workers.one_worker_s", "{:.1f}", ""),
    ("of which start, seconds", "workers.one_worker_start_s", "{:.1f}", ""),
    ("Two workers, seconds", "workers.two_workers_s", "{:.1f}", ""),
    ("Peak memory of a worker, 100,000 images over 10,000", "flow.worker_memory_ratio", "{:.2f}", "≤ 1.1"),
    ("of the process that asks for them", "flow.driver_memory_ratio", "{:.2f}", "≤ 1.1"),
    ("of whichever process grows most", "flow.peak_memory_ratio", "{:.2f}", "≤ 1.1"),
    ("which grows by, MiB", "flow.peak_memory_growth_mib", "{:.1f}", ""),
    ("Peak memory of the largest process, MiB", "flow.largest_process_mib", "{:.0f}", ""),
    ("Peak of the object store, MiB", "flow.store_mib", "{:.2f}", ""),
    ("Spilled by the object store, MiB", "flow.spilled_mib", "{:.0f}", "0"),
    ("Drawn, decoded, resized and averaged, images per second", "flow.images_per_s", "{:.0f}", ""),
)

RECORDS = {"results": ROWS, "sharing": SHARING_ROWS, "cluster": CLUSTER_ROWS}


def tabulate(record: str, results: dict[str, Any]) -> str:
    """Give a row for each figure of a record that was measured, and say where and when."""
    machine = results["machine"]
    lines = ["| what | measured | goal |", "|---|---|---|"]
    for title, location, form, goal in RECORDS[record]:
        section, key = location.split(".")
        if key in results.get(section, {}):
            lines.append(f"| {title} | {form.format(results[section][key])} | {goal} |")
    lines += [
        "",
        f"{results['date']}, {machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, "
        f"Python {machine['python']}, TensorFlow {machine['tensorflow']}, Keras {machine['keras']}"
        f"{', Ray ' + machine['ray'] if 'ray' in machine else ''}.",
    ]
    return "\n".join(lines)


def replace_table(text: str, record: str, results: dict[str, Any]) -> str:
    """Put a new table between the two marks of a record in a text."""
    return replace_marked(text, record, tabulate(record, results))


def replace_marked(text: str, name: str, content: str) -> str:
    """Put something else between two marks in a text."""
    begin, end = mark_table(name)
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    return f"{before}{begin}\n{content}\n{end}{after}"


def mark_table(name: str) -> tuple[str, str]:
    """Tell what stands before and after the table of a record, or another."""
    return f"<!-- {name}: written by make bench -->", f"<!-- end of {name} -->"
