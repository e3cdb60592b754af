"""Scans the images of bench/scan-images.sh with plimsoll, the floor and Syft in turns: medians and ratios as Markdown tables.

    bench/scan.sh [ROUNDS]
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

from measure import cost, machine, medians

plimsoll, floor, syft, images, rounds = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])
NAMES = sys.argv[6:] or ["small", "medium", "large"]


def scan(image, *options, output="json=/dev/null"):
    return [plimsoll, "scan", "--skip-vulnerabilities", *options, "--output", output, f"oci:{images}/{image}"]


def by_plimsoll(image, _temporary):
    return scan(image, "--no-cache")


def by_floor(image, _temporary):
    return [floor, f"{images}/{image}"]


def by_syft(image, _temporary):
    return [syft, "scan", "--quiet", "--output", "syft-json", f"oci-dir:{images}/{image}"]


def again(image, _temporary):
    """The cache lies beside the images: filled by the unmeasured run."""
    return scan(image, "--cache-dir", f"{images}/.cache")


def measure(tool, image):
    # Each run has an empty folder for temporary files, on disk, that is gone before the next one.
    temporary = tempfile.mkdtemp(dir=images)
    try:
        return cost(tool(image, temporary), env={"PATH": "/usr/bin:/bin", "HOME": temporary, "TMPDIR": temporary,
                                                 "SYFT_CHECK_FOR_APP_UPDATE": "false"})
    finally:
        shutil.rmtree(temporary)
        # Dirty pages of one run must not be written on the next one's account.
        subprocess.run(["sync"], check=True)


def describe(image):
    """What is in it, as plimsoll sees it: size, files, packages."""
    report = json.loads(subprocess.run(scan(image, "--no-cache", output="json"), check=True, capture_output=True).stdout)
    blobs = sum(layer["blob_size_bytes"] for layer in report["layers"])
    unpacked = sum(layer["size_bytes"] for layer in report["layers"])
    return (f"{image}: {blobs / 2**20:.0f} MiB, {unpacked / 2**20:.0f} unpacked, {len(report['layers'])} layers, "
            f"{report['file_count']} paths, {len(report['sbom']['packages'])} packages")


print(f"Machine: {machine()}; load average {os.getloadavg()[0]:.1f} at the start. "
      f"Medians of {rounds} alternating rounds.\n")
for image in NAMES:
    print(f"- {describe(image)}")
print("\n| image | figure | floor | plimsoll | plimsoll, known | Syft | plimsoll/floor | Syft/plimsoll |")
print("|---|---|---:|---:|---:|---:|---:|---:|")
for image in NAMES:
    costs = {by_floor: [], by_plimsoll: [], again: [], by_syft: []}
    for tool in costs:
        measure(tool, image)  # once unmeasured: all find the image in the page cache
    for _ in range(rounds):
        for tool, list_of_costs in costs.items():
            list_of_costs.append(measure(tool, image))
    least, ours, known, theirs = (medians(costs[tool]) for tool in costs)
    for figure, value in ours.items():
        ratios = [f"{value / least[figure]:.2f}×" if least[figure] > 0 else "–",
                  f"{theirs[figure] / value:.1f}×" if value > 0 else "–"]
        print(f"| {image} | {figure} | {least[figure]:.2f} | {value:.2f} | {known[figure]:.2f} | {theirs[figure]:.2f} | "
              f"{' | '.join(ratios)} |", flush=True)
shutil.rmtree(f"{images}/.cache", ignore_errors=True)
