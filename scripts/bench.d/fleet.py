#!/usr/bin/env python3
"""P1 to P4 and P12 of scripts/bench: what a fleet costs the converger, side by side with a kube-rs Controller.

usage: fleet.py OURS PEER PAIRS LIST JSON

OURS is the bench `fleet` of wpaas-core, PEER is kube-bench. Each pair runs one after the other; of their ratios the median counts.
"""

import json
import re
import statistics
import subprocess
import sys

GOALS = {"p1": 1 / 10, "p2": 1 / 8, "p3": 1 / 10, "p4": 1 / 5, "p12": 15}


def run(command, *wanted):
    """The numbers that a program prints under these names."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=600)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")
    found = []
    for name in wanted:
        values = re.findall(rf"{re.escape(name)}[ =]([0-9.]+)", done.stdout)
        if not values:
            sys.exit(f"{' '.join(map(str, command))} tells no {name}: {done.stdout}")
        found.append(float(values[-1]))
    return found


def once(measure, ours, peer, sites):
    """Ours and the peer's, in the same unit."""
    if measure == "p1":
        return run([ours, "pass", sites], "pass_us_per_site")[0], run([peer, "children", sites, 6, 3], "us_per_obj")[0]
    if measure == "p2":
        child, parent = run([peer, "children", sites, 6, 1], "heap_per_child", "settled heap_B_per_obj")
        return run([ours, "memory", sites], "heap_bytes_per_site")[0], 6 * child + parent
    if measure == "p3":
        return run([ours, "drift", sites], "drift_us_p50")[0], run([peer, "drift", sites, 1000], "drift us p50")[0]
    if measure == "p4":
        return run([ours, "start", sites], "start_s")[0], run([peer, "startup", sites], " s")[0]
    micros = run([peer, "resync", sites, 3], "cpu_us_per_obj")[0]
    return run([ours, "idle", sites], "idle_ms_per_10s")[0], micros * sites / 1000


WHAT = {
    "p1": ("P1 pass over converged sites", "us a site", (1_000, 10_000, 100_000)),
    "p2": ("P2 heap", "bytes a site", (1_000, 10_000, 100_000)),
    "p3": ("P3 drift to plan, p50", "us", (1_000, 10_000, 100_000)),
    "p4": ("P4 cold start", "s", (1_000, 10_000, 100_000)),
    "p12": ("P12 idle, of 10 s", "ms", (10_000,)),
}


def main():
    ours, peer, pairs, wanted, target = sys.argv[1:]
    rows, results = [("measure", "sites", "ours", "kube-rs", "ratio", "goal", "")], []
    for measure in [measure for measure in WHAT if measure in wanted.split(",")]:
        name, unit, sizes = WHAT[measure]
        for sites in sizes:
            runs = [once(measure, ours, peer, sites) for _ in range(int(pairs))]
            mine, theirs = (statistics.median(side) for side in zip(*runs))
            ratio = statistics.median(a / b for a, b in runs)
            met = (mine if measure == "p12" else ratio) <= GOALS[measure]
            goal = f"<= {GOALS[measure]:g}" + (" ms" if measure == "p12" else "")
            rows.append((name, f"{sites:,}", f"{mine:,.4g} {unit}", f"{theirs:,.4g}", f"{ratio:.3f}", goal, "met" if met else "NOT MET"))
            results.append({"measure": measure, "sites": sites, "unit": unit, "runs": runs, "ratio": ratio, "met": met})
            print(f"    {name}, {sites:,} sites: {runs}", flush=True)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    if target:
        with open(target, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


main()
