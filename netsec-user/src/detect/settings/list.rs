//! The sections under `[detect]`, one for each detector.

use super::table::section;
use crate::time::TimeSpan;

section! {
    /// Section `[detect.scan]`: ports, hosts and protocols that are tried without success.
    Scan {
        /// Ports of one host that are a vertical scan.
        ports: usize = 5, "Slips, minimum_dports_to_set_evidence (has to be exceeded there)";
        /// Hosts on one port that are a horizontal scan.
        hosts: usize = 5, "Slips, minimum_dstips_to_set_evidence";
        /// Hosts pinged that are a sweep.
        pings: usize = 5, "Slips, pingscan_minimum_scanned_ips";
        /// IP protocols towards one host that are a protocol scan.
        protocols: usize = 10, "ours: two hosts hardly share more than five, nmap -sO tries all 256";
        /// Ports from which on a vertical scan is of medium severity.
        ports_medium: usize = 15, "Zeek's scan policy, 15 ports in 5 min";
        /// Hosts from which on a horizontal scan or a sweep is of medium severity.
        hosts_medium: usize = 25, "Zeek's scan policy, 25 hosts in 5 min";
        /// Ports or hosts from which on a scan is of high severity.
        high: usize = 100, "Snort 3, port_scan: 100 scans";
        /// Time in which they are counted.
        window: TimeSpan = TimeSpan::from_secs(300), "Zeek's scan policy, 5 min";
        /// Time in which slow scans are counted, against the medium limits.
        slow_window: TimeSpan = TimeSpan::from_secs(86_400), "ours: nmap -T0 tries a port every 5 min";
        /// Most pairs of source and target that are kept, for each way of counting.
        pairs_max: usize = 65_536, "ours: 30 MB at most";
    }
}

section! {
    /// Section `[detect.flood]`: packets by their number in each second.
    Flood {
        /// TCP connections a second begun towards one host and left incomplete.
        syn_pps: u64 = 100, "Snort's manual, rate_filter: 100 connection attempts a second";
        /// Share of a second's new connections towards the host that is left incomplete.
        syn_incomplete: f64 = 0.5, "ours: a busy server completes nearly all";
        /// TCP segments a second towards one host that belong to no connection, and are ignored or refused.
        tcp_pps: u64 = 2000, "as udp_unanswered_pps: nobody waits for these either";
        /// UDP packets a second towards or from one host.
        udp_pps: u64 = 100_000, "FastNetMon, threshold_udp_pps";
        /// UDP packets a second that nobody answers.
        udp_unanswered_pps: u64 = 2000, "FortiGate DoS policy, udp_flood";
        /// ICMP packets a second towards or from one host.
        icmp_pps: u64 = 1000, "Juniper SRX screen, icmp flood";
        /// Later fragments a second towards one host.
        fragment_pps: u64 = 100, "ours: with path MTU discovery there are next to none";
        /// Answers a second to TCP handshakes that the host did not begin.
        reflection_pps: u64 = 100, "as syn_pps: each is one forged SYN";
        /// Packets a second from ports that amplify, unasked.
        amplification_pps: u64 = 50, "half of reflection_pps: each is one forged question, and larger";
        /// Reflectors there have to be, unless they send what would be a flood from any port.
        reflectors: u64 = 5, "Suricata, ET 2016016: 5 forged questions";
        /// Factor over a host's limits from which on packets to a network (/24, /64) are a flood, none of whose hosts is flooded.
        network_factor: u64 = 10, "ours: FastNetMon's hostgroups of type total have limits, but no default ones";
        /// Share of sources with one or two packets from which on they are taken for forged.
        spoofed: f64 = 0.8, "ours: a real client sends its SYN up to six times (RFC 6298)";
        /// Time below the threshold after which a flood is over.
        quiet: TimeSpan = TimeSpan::from_secs(2), "ours: who defends wants to know at once";
        /// Factor over the threshold from which on a flood is of critical severity.
        critical: f64 = 100.0, "ours: it fills a link of a gigabit";
        /// Most hosts whose packets are counted in one second, each way.
        hosts_max: usize = 65_536, "ours: 30 MB at most";
    }
}

section! {
    /// Section `[detect.bruteforce]`: short connections that are alike, one after the other.
    Bruteforce {
        /// Attempts on SSH.
        ssh: usize = 20, "between Slips, ssh_attempt_threshold (9), and Zeek, SSH::password_guesses_limit (30)";
        /// Time in which they are counted.
        ssh_window: TimeSpan = TimeSpan::from_secs(1800), "Zeek, SSH::guessing_timeout";
        /// Attempts on FTP and other services where people sign on.
        login: usize = 20, "Zeek, FTP::bruteforce_threshold";
        /// Time in which they are counted.
        login_window: TimeSpan = TimeSpan::from_secs(900), "Zeek, FTP::bruteforce_measurement_interval";
        /// Attempts on RDP.
        rdp: usize = 20, "Suricata's ET rules: 20 fast Terminal Server connections";
        /// Time in which they are counted.
        rdp_window: TimeSpan = TimeSpan::from_secs(360), "Suricata's ET rules, 6 min";
        /// Attempts on Kerberos, SMB and LDAP, where programs sign on by themselves.
        domain: usize = 70, "Suricata's ET rules: 70 connections to port 445";
        /// Time in which they are counted.
        domain_window: TimeSpan = TimeSpan::from_secs(60), "Suricata's ET rules, 1 min";
        /// Attempts on any other port.
        any: usize = 30, "Suricata's ET rules: 30 rapid IMAP connections";
        /// Time in which they are counted.
        any_window: TimeSpan = TimeSpan::from_secs(60), "Suricata's ET rules, 1 min";
        /// Ports where many short connections are what the service is.
        ignore_ports: Vec<u16> = vec![53, 80, 123, 443, 853, 8000, 8008, 8080, 8443, 8888], "web, name and time services";
        /// Longest attempt.
        duration_max: TimeSpan = TimeSpan::from_secs(120), "OpenSSH, LoginGraceTime";
        /// Largest spread of answer sizes: median absolute deviation over median.
        spread_max: f64 = 0.25, "ours: attempts differ in name and password only";
        /// Factor over the limit from which on it is of high severity.
        high: usize = 2, "ours";
        /// Most pairs of source and service that are kept.
        pairs_max: usize = 32_768, "ours: 40 MB at most";
    }
}

section! {
    /// Section `[detect.beacon]`: connections at regular times, alike in size.
    Beacon {
        /// Connections without which nothing is scored.
        connections: usize = 20, "ours: RITA asks for 4, but looks at whole days only";
        /// Score from which on it is reported, of low severity; from 0 to 1.
        score: f64 = 0.7, "RITA, score_thresholds: low";
        /// Score from which on it is of medium severity.
        medium: f64 = 0.9, "RITA, score_thresholds: medium";
        /// Least median time between two connections.
        interval_min: TimeSpan = TimeSpan::from_secs(1), "RITA counts whole seconds";
        /// Weight of the regularity of intervals.
        interval_weight: f64 = 0.25, "RITA, timestamp_score_weight";
        /// Weight of the likeness of sizes.
        size_weight: f64 = 0.25, "RITA, datasize_score_weight";
        /// Weight of the share of time that it lasts.
        duration_weight: f64 = 0.25, "RITA, duration_score_weight";
        /// Weight of the evenness over time.
        histogram_weight: f64 = 0.25, "RITA, histogram_score_weight";
        /// Longest time that is looked back.
        window: TimeSpan = TimeSpan::from_secs(86_400), "RITA, one day";
        /// Ports where regular times are what the service is.
        ignore_ports: Vec<u16> = vec![53, 67, 68, 123, 137, 138, 161, 1900, 5353, 5355], "name, address, time and discovery services";
        /// Most pairs of host and service that are kept.
        pairs_max: usize = 32_768, "ours: 100 MB at most";
    }
}

section! {
    /// Section `[detect.long_connection]`: connections that stay for hours.
    LongConnection {
        /// Age from which on it is reported, of low severity.
        age: TimeSpan = TimeSpan::from_secs(3600), "RITA, long_connection_score_thresholds: base";
        /// Age from which on it is of medium severity.
        medium: TimeSpan = TimeSpan::from_secs(28_800), "RITA, long_connection_score_thresholds: medium";
    }
}

section! {
    /// Section `[detect.exfiltration]`: more goes out than is usual.
    Exfiltration {
        /// Bytes to one host outside, in the window, without which nothing is said.
        bytes: u64 = 500_000_000, "Slips, data_exfiltration_threshold: 500 MB";
        /// Bytes out for each byte in.
        ratio: f64 = 3.0, "ours: an upload has acknowledgements coming in, 1 to 20 or less";
        /// Factor over the host's own busiest hour before.
        usual: f64 = 2.0, "ours";
        /// Time in which bytes are counted.
        window: TimeSpan = TimeSpan::from_secs(3600), "Slips, time_window_width";
        /// Hours of own history from which on severity is high.
        history_hours: u64 = 24, "ours: a day has all hours in it";
        /// Most hosts, and pairs of hosts, that are kept.
        pairs_max: usize = 65_536, "ours: 10 MB at most";
    }
}

section! {
    /// Section `[detect.lateral_movement]`: new ways inside the network on ports of administrators.
    LateralMovement {
        /// Ports that administrators use.
        ports: Vec<u16> = vec![22, 23, 135, 139, 445, 3389, 5900, 5985, 5986], "MITRE ATT&CK T1021: SSH, DCOM, SMB, RDP, VNC, WinRM";
        /// Hosts a source has to reach anew.
        hosts: usize = 5, "Slips, minimum_dstips_to_set_evidence";
        /// Time in which they are counted.
        window: TimeSpan = TimeSpan::from_secs(3600), "Slips, time_window_width";
        /// Time from the first traffic on in which a fan-out is of low severity, as all is new.
        learn: TimeSpan = TimeSpan::from_secs(86_400), "ours: a day has all hours in it";
        /// Time after which a pair is new again.
        forget: TimeSpan = TimeSpan::from_secs(2_592_000), "RITA, first_seen_decrease_threshold: 30 days";
        /// Most pairs that are kept.
        pairs_max: usize = 65_536, "ours: 10 MB at most";
    }
}

section! {
    /// Section `[detect.suspicious_port]`: conversations on ports that malware is known for.
    SuspiciousPort {
        /// Ports besides those built in.
        more_ports: Vec<u16> = Vec::new(), "none";
        /// Ports that are fine here.
        ignore_ports: Vec<u16> = Vec::new(), "none";
    }
}

section! {
    /// Section `[detect.tunnel_dns]`: data in names and answers. Needs samples of DNS questions.
    TunnelDns {
        /// Different names under one domain that are a tunnel when they look like data.
        names: usize = 100, "RITA, c2_score_thresholds: base";
        /// Different names that are enough when nearly all ask for TXT, NULL or the like.
        names_rare: usize = 11, "RFC 7208, 4.6.4: checking a sender asks at most 10 times";
        /// Share of such questions.
        rare_share: f64 = 0.8, "ours";
        /// Mean length of the part before the domain, characters, from which on it looks like data.
        length: f64 = 20.0, "ours: nearly all host names are shorter";
        /// Mean entropy of that part, bits a character, from which on it looks like data.
        entropy: f64 = 3.0, "ours: words have 2 to 2.8, base32 up to 5";
        /// Different names that are enough whatever they look like.
        names_any: usize = 500, "RITA, c2_score_thresholds: low";
        /// Different names that look like data from which on it is of high severity.
        high: usize = 500, "RITA, c2_score_thresholds: low";
        /// Time in which they are counted.
        window: TimeSpan = TimeSpan::from_secs(3600), "Slips, time_window_width";
        /// Domains under which many names are normal.
        ignore_domains: Vec<String> = ["in-addr.arpa", "ip6.arpa", "spamhaus.org", "spamcop.net", "barracudacentral.org"].map(Into::into).into(), "reverse lookups; block lists that mail servers ask (RFC 5782)";
        /// Most pairs of host and domain that are kept.
        pairs_max: usize = 16_384, "ours: 30 MB at most";
    }
}

section! {
    /// Section `[detect.anomaly]`: connections unlike those that a model was learned from.
    Anomaly {
        /// Share of the training connections that one has to be stranger than.
        quantile: f64 = 0.999, "ours: one connection in a thousand of ordinary traffic";
        /// Connections of a source in five minutes that are strange together when many of them exceed `crowd_quantile`.
        crowd: u64 = 100, "ours: half of a hundred beyond the 95 % quantile is no chance";
        /// Share of the training connections that each of these is stranger than.
        crowd_quantile: f64 = 0.95, "ours: one ordinary connection in twenty";
        /// Share of the source's connections that has to exceed it.
        crowd_share: f64 = 0.5, "ours: ten times what is ordinary";
        /// Most hosts whose windows are kept for features.
        hosts_max: usize = 16_384, "ours: 35 MB at most";
        /// Most pairs that are kept for features: of hosts, of host and network, of host and service.
        pairs_max: usize = 65_536, "ours: 90 MB at most";
    }
}

section! {
    /// Section `[detect.tunnel_icmp]`: data in echoes.
    TunnelIcmp {
        /// Echoes each way without which nothing is said.
        packets: u64 = 50, "ours: people ping a few times";
        /// Mean frame, bytes, from which on echoes are large.
        bytes: f64 = 800.0, "Snort 1:499, large ICMP packet";
        /// Large echoes a second from which on they are a tunnel.
        pps: f64 = 5.0, "ours: ping sends one a second";
        /// Difference of the mean sizes of question and answer, as a share of the larger one.
        asymmetry: f64 = 0.1, "RFC 792: an answer returns the data of the question";
    }
}
