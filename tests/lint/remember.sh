# Sourced by checks that look at each file alone: what was found fine is not looked at again, until it or the
# check's KEY changes.
#
#   unseen NAME KEY < FILES    prints those of the files (one in a line) that are not known to be fine
#   remember NAME              all files of the last `unseen` are fine
remembered=build/lint
mkdir -p $remembered

unseen() {
  local key
  key=$(printf '%s' "$2" | sha256sum | cut -c1-16)
  xargs -d '\n' sha256sum | sed "s/^/$key /" | LC_ALL=C sort > "$remembered/$1.new"
  touch "$remembered/$1"
  LC_ALL=C comm -23 "$remembered/$1.new" "$remembered/$1" | sed -E 's/^([^ ]+ +){2}//'
}

remember() { mv "$remembered/$1.new" "$remembered/$1"; }
