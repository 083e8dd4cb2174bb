// What bench/mls_group.c measures, with mls-rs and aws-lc as the reference's releases 1.0 use them: cipher suite 1, basic
// credentials of 190 bytes, public handshakes, the ratchet tree in the Welcome. Microseconds of CPU.

use bench::{credential, median, report, sizes, timed, BATCH, MESSAGES, PAYLOAD, RUNS};
use mls_rs::client_builder::MlsConfig;
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::identity::SigningIdentity;
use mls_rs::mls_rules::{CommitOptions, DefaultMlsRules};
use mls_rs::storage_provider::in_memory::InMemoryGroupStateStorage;
use mls_rs::{CipherSuite, CipherSuiteProvider, Client, CryptoProvider, ExtensionList, Group, MlsMessage};
use mls_rs_core::group::GroupStateStorage;
use mls_rs_crypto_awslc::AwsLcCryptoProvider;

const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

fn client(index: usize, with_path: bool, storage: InMemoryGroupStateStorage) -> Client<impl MlsConfig> {
    let crypto = AwsLcCryptoProvider::default();
    let (secret, public) = crypto.cipher_suite_provider(SUITE).unwrap().signature_key_generate().unwrap();
    let credential = BasicCredential::new(credential(index));
    let rules = DefaultMlsRules::new().with_commit_options(CommitOptions::new().with_path_required(with_path));
    Client::builder()
        .identity_provider(BasicIdentityProvider)
        .crypto_provider(crypto)
        .mls_rules(rules)
        .group_state_storage(storage)
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

fn message(bytes: &[u8]) -> MlsMessage {
    MlsMessage::from_bytes(bytes).unwrap()
}

// Bytes of the stored group: the current state and the past epochs.
fn stored_size(storage: &InMemoryGroupStateStorage, id: &[u8]) -> f64 {
    let mut size = storage.state(id).unwrap().unwrap().len();
    for epoch in 0..=storage.max_epoch_id(id).unwrap().unwrap_or(0) {
        size += storage.epoch(id, epoch).unwrap().map_or(0, |bytes| bytes.len());
    }
    size as f64
}

fn measure_size(size: usize, with_path: bool) -> Vec<(&'static str, f64)> {
    let storage = InMemoryGroupStateStorage::new();
    let moderator = client(0, with_path, storage.clone());
    let members: Vec<_> = (1..size).map(|i| client(i, with_path, InMemoryGroupStateStorage::new())).collect();
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
            None => other = Some(members[0].join_group(None, &message(&welcome), None).unwrap().0),
            Some(group) => drop(group.process_incoming_message(message(&commit)).unwrap()),
        }
        next = end;
    }
    if let Some(other) = &mut other {
        other.write_to_storage().unwrap();
    }
    // the last member is added and joins again and again; member 1 takes each commit from its stored state
    let last = &members[members.len() - 1];
    let (mut adds, mut joins, mut processes) = (Vec::new(), Vec::new(), Vec::new());
    let mut reader = None;
    for _ in 0..RUNS {
        group.clear_pending_commit();
        let last_package = [package(last)];
        let (took, (commit, welcome)) = timed(|| add(&mut group, &last_package));
        adds.push(took);
        let (took, joined) = timed(|| last.join_group(None, &message(&welcome), None).unwrap().0);
        joins.push(took);
        reader = Some(joined);
        if let Some(other) = &other {
            let mut member = members[0].load_group(other.group_id()).unwrap();
            processes.push(timed(|| member.process_incoming_message(message(&commit)).unwrap()).0);
        }
    }
    group.apply_pending_commit().unwrap();
    group.write_to_storage().unwrap();
    let mut reader = reader.unwrap();
    let payload = [0u8; PAYLOAD];
    let (mut encrypt, mut decrypt) = (Vec::new(), Vec::new());
    for _ in 0..MESSAGES {
        let (took, sent) =
            timed(|| group.encrypt_application_message(&payload, Vec::new()).unwrap().to_bytes().unwrap());
        encrypt.push(took);
        decrypt.push(timed(|| reader.process_incoming_message(message(&sent)).unwrap()).0);
    }
    vec![
        ("create", create_us),
        (if with_path { "add+path" } else { "add" }, median(adds)),
        (if with_path { "join" } else { "join-nopath" }, median(joins)),
        (if with_path { "process+path" } else { "process" }, median(processes)),
        ("encrypt", median(encrypt)),
        ("decrypt", median(decrypt)),
        ("state", stored_size(&storage, group.group_id())),
    ]
}

fn main() {
    for size in sizes() {
        let mut figures = measure_size(size, false);
        figures.retain(|(name, _)| ["add", "process"].contains(name));
        figures.extend(measure_size(size, true));
        report(size, &figures);
    }
}
