# The OPTIONS part of drbd.conf(5), in mdoc: names, types, ranges, defaults and units from the option table of the
# programs, the meaning from options.txt. Fails when an option has no meaning there, or an option that the programs do
# nothing with is not said to be without effect.
#   awk -f options.awk header.hpp option_table.cpp options.txt
function fail(text) { print "docs/man/options.awk: " text > "/dev/stderr"; failed = 1; exit 1 }
function trim(s) { sub(/^[ \t\n]+/, "", s); sub(/[ \t\n]+$/, "", s); return s }
# Splits at commas outside of brackets and strings: the number of parts.
function split_top(s, parts,    i, c, depth, quoted, n, from) {
  n = 0; depth = 0; quoted = 0; from = 1
  for (i = 1; i <= length(s); ++i) {
    c = substr(s, i, 1)
    if (c == "\"") quoted = !quoted
    if (quoted) continue
    if (index("({[", c)) ++depth
    if (index(")}]", c)) --depth
    if (c == "," && depth == 0) { parts[++n] = trim(substr(s, from, i - from)); from = i + 1 }
  }
  if (trim(substr(s, from)) != "") parts[++n] = trim(substr(s, from))
  return n
}
function value(s,    at) {
  if (s in constant) return constant[s]
  if (s ~ /^[0-9]+ << [0-9]+$/) { at = index(s, " << "); return substr(s, 1, at - 1) * 2 ^ substr(s, at + 4) }
  if (s ~ /^-?[0-9]+$/) return s
  fail("not a number: " s)
}
function unquoted(s) { return substr(s, 2, length(s) - 2) }
# What stands behind NAME( or NAME{ up to the bracket that closes it.
function inside(s) { s = substr(s, match(s, /[({]/) + 1); return substr(s, 1, length(s) - 1) }
function unit_words(unit_text, unit) {
  if (unit == "OptionUnit::sectors") return "sectors of 512 bytes, or with K, M, G as it says"
  if (unit == "OptionUnit::kib") return "KiB" (unit_constant[unit_text] == "bytes/second" ? " a second" : "")
  if (unit_text in unit_constant) return unit_constant[unit_text]
  return unquoted(unit_text)
}
function describe(entry,    drbd, mine, dead, once, kind, a, n, section, name, facts, field, i, list, preset, text, w, none) {
  while (match(entry, /^(one_shot|ignored|ours|drbd_has)\(/)) {
    kind = substr(entry, 1, RLENGTH - 1); entry = inside(entry)
    if (kind == "drbd_has") { drbd = substr(entry, 1, index(entry, ",") - 1); entry = trim(substr(entry, index(entry, ",") + 1)) }
    if (kind == "ours") mine = 1
    if (kind == "ignored") dead = 1
    if (kind == "one_shot") once = 1
  }
  match(entry, /^[A-Za-z_]+/); kind = substr(entry, 1, RLENGTH); n = split_top(inside(entry), a)
  section = a[1]; name = a[2]; field = "nullptr"
  if (kind == "Option") {  # resync-after, which is a type of its own
    sub(/.*= */, "", section); sub(/.*= */, "", name); field = "set"
    facts = "RESOURCE, or RESOURCE/VOLUME"
  } else if (kind == "handler") {
    name = section; section = "handlers"; facts = "command"
  } else if (kind == "flag") {
    facts = "flag, without a value"
  } else if (kind == "boolean") {
    facts = "yes or no, default " (a[3] == "true" ? "yes" : "no"); if (n >= 4) field = a[4]
  } else if (kind == "text") {
    facts = "text of at most " a[3] " characters"; if (n >= 4) field = a[4]
  } else if (kind == "number") {
    facts = value(a[3]) " to " value(a[4]) ", default " value(a[5]); field = a[6]
    if (n >= 7 && a[7] != "{}" || n >= 8) facts = facts ", in " unit_words(a[7], a[8])
    if (drbd != "") facts = facts ", DRBD has " drbd
  } else if (kind == "choice") {
    list = words[a[3]]; if (list == "") fail("no words " a[3])
    preset = list; sub(/ .*/, "", preset); field = a[4]
    if (n >= 5) {
      preset = a[5]; if (preset ~ /::/) { sub(/.*\(/, "", preset); sub(/\)$/, "", preset) }
      preset = word_of[a[3], preset]; if (preset == "") fail("no default of " name)
    }
    gsub(/ /, ", ", list); facts = "one of " list "; default " preset
    if (a[3] == "quorum_words") facts = "off, majority, all, or 1 to 32; default off"
  } else fail("unknown kind " kind)
  name = unquoted(name); text = meaning[section, name]; delete meaning[section, name]
  if (text == "") fail(section " " name ": options.txt does not say what it is")
  none = text ~ /^NONE/
  if (section ~ /^(resource|net|disk)$/ && field == "nullptr" && !none) fail(section " " name ": has no effect, options.txt must say NONE")
  sub(/^NONE[. ]*/, "", text); gsub(/\. /, ".\n", text)
  if (dead && text == "") text = "A left-over of DRBD 8.3."
  w = ".It Cm " name "\n(" facts ")\n"
  if (once) w = w "Of one command, not a setting.\n"
  if (none) w = w ".Em Accepted, without effect.\n"
  if (mine) w = w "DRBD does not have this option.\n"
  if (text != "") w = w text "\n"
  out[section] = out[section] w
}
FILENAME ~ /header\.hpp$/ {
  if (match($0, /protocol_version_m(in|ax) = [0-9]+/)) { split(substr($0, RSTART, RLENGTH), p, " = "); constant[p[1]] = p[2] }
  next
}
FILENAME ~ /option_table\.cpp$/ {
  sub(/\/\/.*/, "")
  if ($0 ~ /^constexpr std::string_view [a-z]+ = "/) { split($0, q, "\""); name = $3; unit_constant[name] = q[2] }
  if ($0 ~ /^constexpr std::array /) { collecting = $3; sub(/\{.*/, "", collecting); all = $0; sub(/^[^{]*\{/, "", all) }
  else if (collecting != "") all = all " " $0
  if (collecting != "" && $0 ~ /};$/) {
    sub(/};$/, "", all); count = split_top(all, entry)
    for (i = 1; i <= count; ++i) {
      if (collecting == "table") table[++rows] = entry[i]
      else {
        split_top(inside(entry[i]), pair)
        words[collecting] = words[collecting] (words[collecting] == "" ? "" : " ") unquoted(pair[1])
        if (!((collecting, pair[2]) in word_of)) word_of[collecting, pair[2]] = unquoted(pair[1])
      }
    }
    collecting = ""
  }
  next
}
/^#/ || /^$/ { next }
{ at = index($0, ": "); split(substr($0, 1, at - 1), key, " "); meaning[key[1], key[2]] = substr($0, at + 2) }
END {
  if (failed) exit 1
  if (rows < 50) fail("only " rows + 0 " options found")
  for (row = 1; row <= rows; ++row) describe(table[row])
  for (left in meaning) { split(left, key, SUBSEP); fail(key[1] " " key[2] ": there is no such option") }
  split("global startup handlers resource net disk", order, " ")
  title["global"] = "global { }"; title["startup"] = "startup { }"; title["handlers"] = "handlers { }"
  title["resource"] = "options { }"; title["net"] = "net { }"; title["disk"] = "disk { }"
  for (i = 1; i <= 6; ++i) {
    print ".Ss Options in " title[order[i]]
    print ".Bl -tag -width Ds"
    printf "%s", out[order[i]]
    print ".El"
  }
}
