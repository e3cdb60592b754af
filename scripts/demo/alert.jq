# One alert in, its explanation for a terminal out.
def cut(n): if length > n then .[:n] + "…" else . end;
def evidence: map("\(.source): \(.detail)") | join("; ");
def row(name; text): if (text // "") == "" then empty else "    \(name + "           " | .[:11]) \(text)" end;
"  ✗ [\(.priority)] \(.summary)",
row("image"; .image.reference + " " + ((.image.manifest_digest // .image.config_digest // "") | cut(19))),
row("container"; .container_name),
row("process"; "\(.process.exe) (pid \(.process.pid), uid \(.process.euid)) ← \([.ancestry[].exe] | join(" ← "))"),
row("phase"; .phase),
row("observed"; .observed),
(if (.expected | length) == 0 then row("expected"; "nothing of the kind")
 else (.expected[:3][] | row("expected"; "\(.text)  (\(.evidence | evidence))")) end),
(.reasons[] |
  if .deviation then row("because"; "\(.deviation.explanation)  (\(.deviation.evidence | evidence))")
  else row("rule"; .rule.name) end),
(.executable | if . == null then empty else
  row("file"; "\(.path), " + (if .is_in_image then "from the image" else "not in the image" end)),
  row("package"; .package),
  row("layer"; (.layer_diff_id // "" | cut(19)) + " " + (.layer_created_by // "" | cut(60))),
  row("known flaws"; if .vulnerability_count > 0
    then "\(.vulnerability_count), worst \([.vulnerabilities[:3][] | "\(.[0]) \(.[1])"] | join(", "))" else "" end)
end),
row("ATT&CK"; .techniques | join(" ")),
row("then"; [.follow_ups[].observed] | join(" · ")),
row("id"; .id), ""
