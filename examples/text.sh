#!/bin/sh
# Writes a text of about MIB (1) mebibytes that is the same on every machine: words drawn by a linear congruential
# generator (Park and Miller 1988), from none to 15 of them a line.
set -eu
awk -v bytes="$((${1:-1} * 1048576))" 'BEGIN {
  count = split("the of and to in that was his he it with is for as had you not be her on at by which have or from this him but all she they were my are me one their so an said them we who would been will no when there if more out up into do any your what has man could other than our some very time upon about may its only now like little then can made should did us such great before must two these see know over much down after first good men own never most old shall day where those came come himself way work life without go make well through being long say might how am too even again many back here think every people went same last thought away under take found hand eyes still place while just also young yet though against things get ever give god years off face nothing right once another left part saw house world head three took new love always mrs put night each king between tell mind heart few because thing whom far seemed looked called whole de set both got find done heard look name days told let lord country asked going seen better p having home knew", word, " ")
  state = 42
  while (written < bytes) {
    line = ""
    state = state * 16807 % 2147483647
    for (left = state % 16; left > 0; left--) {
      state = state * 16807 % 2147483647
      line = line word[state % count + 1] " "
    }
    print line
    written += length(line) + 1
  }
}'
