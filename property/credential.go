package property

import (
	"encoding/base64"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"
)

var credentialID = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,255}$`)

var loadCredential = pairs("ID:PATH, an absolute path or the name of a credential of systemd's own", true, ":", func(id, p string, both bool) (Pair, error) {
	if !credentialID.MatchString(id) {
		return Pair{}, fmt.Errorf("%s is not the name of a credential", quoted(id))
	}
	if !both {
		p = id
	}
	if path.IsAbs(p) {
		p, err := absolutePath(p)
		return Pair{id, p}, err
	}
	if !credentialID.MatchString(p) {
		return Pair{}, fmt.Errorf("%s is neither an absolute path nor the name of a credential", quoted(p))
	}
	return Pair{id, p}, nil
})

// credential is SetCredential=, ID and data, which decode and encode make of text.
func credential(words string, decode func(string) ([]byte, error), encode func([]byte) string) list[Credential] {
	return list[Credential]{
		typ: "a(say)", words: words, oneEach: true, split: wholeLine,
		read: func(s string) (Credential, error) {
			id, text, ok := strings.Cut(s, ":")
			if !ok || !credentialID.MatchString(id) {
				return Credential{}, fmt.Errorf("%s is not ID:DATA", quoted(s))
			}
			data, err := decode(text)
			return Credential{id, data}, err
		},
		write: func(c Credential) string { return c.ID + ":" + encode(c.Data) },
	}
}

var (
	setCredential  = credential("ID:TEXT, with C's escapes", unescapeAll, escapeAll)
	setEncrypted   = credential("ID:DATA in Base64, as systemd-creds encrypt makes it", decode64, base64.StdEncoding.EncodeToString)
	standardInData = scalar[[]byte]{typ: "ay", words: "data in Base64", read: decode64, write: base64.StdEncoding.EncodeToString}
	// StandardInputText= is a line, and comes out as the property of StandardInputData=.
	standardInText = scalar[[]byte]{typ: "ay", words: "text, with C's escapes; a line feed is added", write: base64.StdEncoding.EncodeToString, read: func(s string) ([]byte, error) {
		data, err := unescapeAll(s)
		return append(data, '\n'), err
	}}
)

func decode64(s string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		return nil, fmt.Errorf("%s is not Base64", quoted(s))
	}
	return data, nil
}

func unescapeAll(s string) ([]byte, error) {
	out := []byte{}
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		text, n, err := unescape(s[i:])
		if err != nil {
			return nil, err
		}
		out = append(out, text...)
		i += n - 1
	}
	return out, nil
}

func escapeAll(data []byte) string {
	var b strings.Builder
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r == '\n':
			b.WriteString(`\n`)
		case r == utf8.RuneError && n == 1, checkText(string(r)) != nil, r == '\t', r == ' ':
			for _, c := range data[:n] {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		default:
			b.WriteRune(r)
		}
		data = data[n:]
	}
	return b.String()
}
