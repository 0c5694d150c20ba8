package logview

import (
	"bytes"
	"time"
)

// leads may stand before the time of a line: our markers and what loggers write (logfmt,
// JSON of slog, zap, logrus and the like).
var leads = [][]byte{
	[]byte("["), []byte("--- "), []byte("time=\""), []byte("time="), []byte("ts="),
	[]byte(`{"time":"`), []byte(`{"ts":"`), []byte(`{"timestamp":"`), []byte(`{"@timestamp":"`),
}

// stampOf returns the time that a line begins with, in nanoseconds since 1970, 0 if none.
//
// Known are RFC 3339, the same with a space, slashes or a comma, with or without a
// fraction and a zone, and seconds since 1970 to the millisecond. Without a zone it is
// local time.
func stampOf(line []byte) int64 {
	if len(line) > 0 && line[0] == 0x1b {
		line = line[sgrLen(line):] // a coloured time
	}
	if len(line) == 0 {
		return 0
	}
	if c := line[0]; c < '0' || c > '9' {
		found := false
		for _, lead := range leads {
			if rest, ok := bytes.CutPrefix(line, lead); ok {
				line, found = rest, true
				break
			}
		}
		if !found {
			return 0
		}
	}
	if len(line) >= 15 && line[10] == '.' && line[14] == ' ' {
		seconds, ok := number(line[:10])
		millis, ok2 := number(line[11:14])
		if ok && ok2 {
			return int64(seconds)*1e9 + int64(millis)*1e6
		}
	}
	return civil(line)
}

// civil parses "2006-01-02T15:04:05.999+01:00" and its relatives.
func civil(b []byte) int64 {
	if len(b) < 19 || b[4] != '-' && b[4] != '/' || b[7] != b[4] || b[10] != 'T' && b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return 0
	}
	var f [6]int
	for i, at := range [6][2]int{{0, 4}, {5, 7}, {8, 10}, {11, 13}, {14, 16}, {17, 19}} {
		var ok bool
		if f[i], ok = number(b[at[0]:at[1]]); !ok {
			return 0
		}
	}
	if f[0] < 1970 || f[0] > 2200 || f[1] < 1 || f[1] > 12 || f[2] < 1 || f[2] > 31 || f[3] > 23 || f[4] > 59 || f[5] > 60 {
		return 0
	}
	b = b[19:]
	nanos := 0
	if len(b) > 1 && (b[0] == '.' || b[0] == ',') {
		digits := 1
		for scale := int(1e8); digits < len(b) && b[digits] >= '0' && b[digits] <= '9'; digits++ {
			nanos += int(b[digits]-'0') * scale
			scale /= 10
		}
		b = b[digits:]
	}
	east, ok := zone(b)
	if !ok {
		return time.Date(f[0], time.Month(f[1]), f[2], f[3], f[4], f[5], nanos, time.Local).UnixNano()
	}
	return time.Date(f[0], time.Month(f[1]), f[2], f[3], f[4], f[5], nanos, time.UTC).UnixNano() - int64(east)*1e9
}

// zone parses a zone and returns its seconds east of UTC: "Z", "+01:00", " +0100", " UTC".
func zone(b []byte) (east int, ok bool) {
	if len(b) > 0 && b[0] == ' ' {
		b = b[1:]
		if bytes.HasPrefix(b, []byte("UTC")) || bytes.HasPrefix(b, []byte("GMT")) {
			return 0, true
		}
	} else if len(b) > 0 && b[0] == 'Z' {
		return 0, true
	}
	if len(b) < 5 || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	minutes := b[3:]
	if minutes[0] == ':' {
		minutes = minutes[1:]
	}
	if len(minutes) < 2 {
		return 0, false
	}
	h, ok := number(b[1:3])
	m, ok2 := number(minutes[:2])
	if !ok || !ok2 || h > 15 || m > 59 {
		return 0, false
	}
	east = h*3600 + m*60
	if b[0] == '-' {
		east = -east
	}
	return east, true
}

func number(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
