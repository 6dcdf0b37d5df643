#!/bin/bash -eu
# Builds the fuzz targets with the service's compiler, flags and engine ($CXX, $CXXFLAGS,
# $LIB_FUZZING_ENGINE), and packs their seeds and dictionaries under the service's names.
python3 configure.py --engine build/engine.ninja
ninja -f build/engine.ninja fuzzers
for target in build/fuzz/*_fuzzer; do
  name=$(basename "$target")
  cp "$target" "$OUT/"
  zip -q -j "$OUT/${name}_seed_corpus.zip" traces/seed/"$name"/*
  if [ -f "fuzz/$name.dict" ]; then cp "fuzz/$name.dict" "$OUT/"; fi
done
