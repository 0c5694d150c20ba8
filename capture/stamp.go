package capture

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// Stamped reports whether something stands before each line in the file.
func (c Config) Stamped() bool { return c.Timestamps != "" || c.Prefix != "" }

// appendHead appends what stands before a line whose first byte is moved now.
func (c Config) appendHead(b []byte, now time.Time) []byte {
	switch c.Timestamps {
	case RFC3339:
		b = append(now.AppendFormat(b, "2006-01-02T15:04:05.000Z07:00"), ' ')
	case Unix:
		ms := now.UnixMilli()
		b = append(strconv.AppendInt(b, ms/1000, 10), '.')
		ms %= 1000
		b = append(b, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), ' ')
	}
	// A line end in it would make lines of our own.
	return append(b, strings.ReplaceAll(c.Prefix, "\n", " ")...)
}

// appendLines appends data with head before each line that begins in it.
func appendLines(b, data, head []byte, atLineStart bool) []byte {
	for len(data) > 0 {
		n := bytes.IndexByte(data, '\n') + 1
		if n == 0 {
			n = len(data)
		}
		if atLineStart {
			b = append(b, head...)
		}
		b = append(b, data[:n]...)
		atLineStart = data[n-1] == '\n'
		data = data[n:]
	}
	return b
}

// wholeLines returns the length of the first n lines of data.
func wholeLines(data []byte, n int) int {
	end := 0
	for ; n > 0; n-- {
		end += bytes.IndexByte(data[end:], '\n') + 1
	}
	return end
}
