"""redis-benchmark GET against the demo's redis container, with and without the agent, in turns.

    bench/agent.sh [PAIRS]
"""
import csv
import io
import statistics
import subprocess
import sys

from measure import machine

plimsoll, pid, images, pairs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


def requests_per_second():
    output = subprocess.run(
        ["nsenter", "--net", "--target", pid, "redis-benchmark", "--csv", "-t", "get", "-n", "400000", "-c", "50"],
        check=True, capture_output=True, text=True).stdout
    return float(list(csv.DictReader(io.StringIO(output)))[0]["rps"])


def with_agent():
    agent = subprocess.Popen([plimsoll, "agent", "--images", images, "--format", "json"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in agent.stderr:
        if line.startswith("ready"):
            break
    else:
        raise SystemExit(f"error: the agent ended with {agent.wait()}")
    try:
        return requests_per_second(), resident_mib(agent.pid)
    finally:
        agent.terminate()
        agent.wait()


def resident_mib(process):
    with open(f"/proc/{process}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS:"))


requests_per_second()  # once unmeasured
off, on, resident = [], [], []
for _ in range(pairs):
    off.append(requests_per_second())
    rate, memory = with_agent()
    on.append(rate)
    resident.append(memory)
ratio = statistics.median(without / with_it for without, with_it in zip(off, on))
print(f"Machine: {machine()}. Medians of {pairs} alternating pairs, redis-benchmark -t get -n 400000 -c 50.\n")
print("| | requests/s |\n|---|---:|")
print(f"| agent off | {statistics.median(off):.0f} |")
print(f"| agent on | {statistics.median(on):.0f} |")
print(f"| off / on, median of the pairs (1.00 is no cost) | {ratio:.3f} |")
print(f"| spread of agent off, (max − min) / median | {(max(off) - min(off)) / statistics.median(off):.3f} |")
print(f"\nResident memory of the agent: {statistics.median(resident):.1f} MiB.")
