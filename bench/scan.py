"""Scans the demo's images with plimsoll and with Syft in turns: medians and ratios as a Markdown table.

    bench/scan.sh [ROUNDS]
"""
import shutil
import subprocess
import sys
import tempfile

from measure import cost, machine, medians

plimsoll, syft, images, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def scan_by_plimsoll(image, _temporary):
    return [plimsoll, "scan", "--skip-vulnerabilities", "--output", "json=/dev/null", f"oci:{images}/{image}"]


def scan_by_syft(image, _temporary):
    return [syft, "scan", "--quiet", "--output", "syft-json", f"oci-dir:{images}/{image}"]


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


print(f"Machine: {machine()}. Medians of {rounds} alternating rounds.\n")
print("| image | figure | plimsoll | Syft | ratio |\n|---|---|---:|---:|---:|")
for image in ["redis", "nginx", "postgres"]:
    costs = {scan_by_plimsoll: [], scan_by_syft: []}
    for tool in costs:
        measure(tool, image)  # once unmeasured: both find the image in the page cache
    for _ in range(rounds):
        for tool, list_of_costs in costs.items():
            list_of_costs.append(measure(tool, image))
    ours, theirs = medians(costs[scan_by_plimsoll]), medians(costs[scan_by_syft])
    for figure, value in ours.items():
        ratio = f"{theirs[figure] / value:.1f}×" if value > 0 else "–"
        print(f"| {image} | {figure} | {value:.2f} | {theirs[figure]:.2f} | {ratio} |")
