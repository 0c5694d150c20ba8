package config

import (
	"strings"
)

// Suggest returns the word of known that word is most likely a misspelling of, "" if
// none is near enough.
func Suggest(word string, known []string) string {
	word = strings.ToLower(word)
	word = strings.ReplaceAll(word, "-", "_")
	best, distance := "", 1+min(3, len(word)/3)
	for _, k := range known {
		if d := editDistance(word, strings.ReplaceAll(k, "-", "_")); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours
// that turn a into b (optimal string alignment).
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var prev2 []int
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(prev[j+1]+1, row[j]+1, prev[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], prev2[j-1]+1)
			}
		}
		prev2, prev = prev, row
	}
	return prev[len(b)]
}
