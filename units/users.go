package units

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// LookupUser finds a user by name or number. The Go library of a static binary reads only
// /etc/passwd, so getent(1) is asked about users from elsewhere (LDAP, systemd-homed),
// which systemd would find.
func LookupUser(name string) (*user.User, error) {
	who, err := user.Lookup(name)
	if err == nil {
		return who, nil
	}
	if who, err := user.LookupId(name); err == nil {
		return who, nil
	}
	// name:password:uid:gid:comment:home:shell, passwd(5)
	if f := getent("passwd", name); len(f) >= 7 {
		return &user.User{Username: f[0], Uid: f[2], Gid: f[3], HomeDir: f[5]}, nil
	}
	return nil, fmt.Errorf("cannot find user %s: %w", name, err)
}

// LookupGroup finds the number of a group by its name, or by that number itself.
func LookupGroup(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err == nil {
		return strconv.Atoi(g.Gid)
	}
	if n, err := strconv.Atoi(name); err == nil {
		return n, nil
	}
	// name:password:gid:members, group(5)
	if f := getent("group", name); len(f) >= 3 {
		return strconv.Atoi(f[2])
	}
	return 0, fmt.Errorf("cannot find group %s: %w", name, err)
}

// getent returns the fields of an entry, nil = there is none.
func getent(database, name string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second) // a directory may not answer
	defer cancel()
	out, err := exec.CommandContext(ctx, "getent", "--", database, name).Output()
	if err != nil {
		return nil
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.Split(line, ":")
}

// LookupOwner finds the numbers of a user and a group. Without a group it is the user's
// own; without a user, whoever we are.
func LookupOwner(name, group string) (uid, gid int, err error) {
	uid, gid = os.Geteuid(), os.Getegid()
	if name != "" {
		who, err := LookupUser(name)
		if n, convErr := strconv.Atoi(name); err != nil && convErr == nil {
			uid, gid = n, n // chown(1) too takes a number that nobody has
		} else if err != nil {
			return 0, 0, err
		} else {
			uid, _ = strconv.Atoi(who.Uid)
			gid, _ = strconv.Atoi(who.Gid)
		}
	}
	if group != "" {
		if gid, err = LookupGroup(group); err != nil {
			return 0, 0, err
		}
	}
	return uid, gid, nil
}
