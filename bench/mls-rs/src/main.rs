// What bench/mls_group.c measures, with mls-rs 0.50.1 and aws-lc as the reference's releases 1.0 use them: cipher suite 1, basic
// credentials of 190 bytes, public handshakes, the ratchet tree in the Welcome. Microseconds of CPU of the
// process: mls-rs verifies with several threads.

use mls_rs::client_builder::MlsConfig;
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::identity::SigningIdentity;
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules};
use mls_rs::{CipherSuite, CipherSuiteProvider, Client, CryptoProvider, ExtensionList, Group, MlsMessage};
use mls_rs_crypto_awslc::AwsLcCryptoProvider;

const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;
const RUNS: usize = 9;
const MESSAGES: usize = 200;
const BATCH: usize = 100;
const MEMBERS_MAX: usize = 1000;

fn cpu_us() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = cpu_us();
    let result = work();
    (cpu_us() - start, result)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(|a, b| a.total_cmp(b));
    times[times.len() / 2]
}

fn client(index: usize, with_path: bool) -> Client<impl MlsConfig> {
    let crypto = AwsLcCryptoProvider::default();
    let (secret, public) = crypto.cipher_suite_provider(SUITE).unwrap().signature_key_generate().unwrap();
    let credential = BasicCredential::new(format!("{index:0190}").into_bytes());
    let rules = DefaultMlsRules::new().with_commit_options(CommitOptions::new().with_path_required(with_path));
    Client::builder()
        .identity_provider(BasicIdentityProvider)
        .crypto_provider(crypto)
        .mls_rules(rules)
        .signing_identity(SigningIdentity::new(credential.into_credential(), public), secret, SUITE)
        .build()
}

fn package(client: &Client<impl MlsConfig>) -> MlsMessage {
    client.generate_key_package_message(ExtensionList::default(), ExtensionList::default(), None).unwrap()
}

fn create<C: MlsConfig>(client: &Client<C>) -> Group<C> {
    client.create_group(ExtensionList::default(), ExtensionList::default(), None).unwrap()
}

// Commit that adds these; the messages for members and for joiners.
fn add<C: MlsConfig>(group: &mut Group<C>, packages: &[MlsMessage]) -> (Vec<u8>, Vec<u8>) {
    let mut builder = group.commit_builder();
    for package in packages {
        builder = builder.add_member(package.clone()).unwrap();
    }
    let output = builder.build().unwrap();
    (output.commit_message.to_bytes().unwrap(), output.welcome_messages[0].to_bytes().unwrap())
}

fn measure_size(size: usize, with_path: bool) {
    let moderator = client(0, with_path);
    let members: Vec<_> = (1..size).map(|i| client(i, with_path)).collect();
    let create_us = median((0..RUNS).map(|_| timed(|| create(&moderator)).0).collect());

    let mut group = create(&moderator);
    let mut other = None;
    let mut next = 0;
    while next + 1 < members.len() {
        let end = (next + BATCH).min(members.len() - 1);
        let packages: Vec<_> = members[next..end].iter().map(package).collect();
        let (commit, welcome) = add(&mut group, &packages);
        group.apply_pending_commit().unwrap();
        match &mut other {
            None => other = Some(members[0].join_group(None, &MlsMessage::from_bytes(&welcome).unwrap(), None).unwrap().0),
            Some(group) => drop(group.process_incoming_message(MlsMessage::from_bytes(&commit).unwrap()).unwrap()),
        }
        next = end;
    }
    let last = &members[members.len() - 1];
    let last_package = [package(last)];
    let mut times = Vec::new();
    let mut messages = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        group.clear_pending_commit();
        let (took, made) = timed(|| add(&mut group, &last_package));
        times.push(took);
        messages = made;
    }
    group.apply_pending_commit().unwrap();
    let add_us = median(times);
    let (join_us, joined) =
        timed(|| last.join_group(None, &MlsMessage::from_bytes(&messages.1).unwrap(), None).unwrap().0);
    let mut process_us = 0.0;
    let mut reader = match other {
        None => joined,
        Some(mut group) => {
            let (took, _) =
                timed(|| group.process_incoming_message(MlsMessage::from_bytes(&messages.0).unwrap()).unwrap());
            process_us = took;
            group
        }
    };
    let payload = [0u8; 1024];
    let mut encrypt = Vec::new();
    let mut decrypt = Vec::new();
    for _ in 0..MESSAGES {
        let (took, message) =
            timed(|| group.encrypt_application_message(&payload, Vec::new()).unwrap().to_bytes().unwrap());
        encrypt.push(took);
        decrypt.push(timed(|| reader.process_incoming_message(MlsMessage::from_bytes(&message).unwrap()).unwrap()).0);
    }
    println!(
        "{size:5}  create {create_us:6.1}  add{} {add_us:8.1}  join {join_us:8.1}  process {process_us:7.1}  encrypt {:5.1}  \
         decrypt {:5.1}",
        if with_path { "+path" } else { "     " },
        median(encrypt),
        median(decrypt)
    );
}

fn main() {
    for size in [2, 32, 256, MEMBERS_MAX] {
        measure_size(size, false);
        measure_size(size, true);
    }
}
