// The commands of tests/unit/mls/peer.c, obeyed by mls-rs.

use std::io::{BufRead, Write};

use mls_rs::client_builder::MlsConfig;
use mls_rs::group::{CommitEffect, ReceivedMessage};
use mls_rs::identity::basic::{BasicCredential, BasicIdentityProvider};
use mls_rs::identity::SigningIdentity;
use mls_rs::{CipherSuite, CipherSuiteProvider, Client, CryptoProvider, ExtensionList, Group, MlsMessage};
use mls_rs_crypto_awslc::AwsLcCryptoProvider;

const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;

type Answer = Result<String, Box<dyn std::error::Error>>;

fn hex(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return ".".into();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn authenticator<C: MlsConfig>(group: &Group<C>) -> Answer {
    Ok(hex(group.epoch_authenticator()?.as_bytes()))
}

fn commit<C: MlsConfig>(group: &mut Group<C>, items: &[&str]) -> Answer {
    let mut builder = group.commit_builder();
    for item in items {
        if let Some(leaf) = item.strip_prefix('-') {
            builder = builder.remove_member(leaf.parse()?)?;
        } else if *item != "path" && *item != "nopath" {
            builder = builder.add_member(MlsMessage::from_bytes(&unhex(item))?)?;
        }
    }
    let output = builder.build()?;
    group.apply_pending_commit()?;
    let welcome = output.welcome_messages.first().map(|welcome| welcome.to_bytes()).transpose()?.unwrap_or_default();
    Ok(format!("{} {} {}", hex(&output.commit_message.to_bytes()?), hex(&welcome), authenticator(group)?))
}

fn obey<C: MlsConfig>(client: &Client<C>, group: &mut Option<Group<C>>, words: &[&str]) -> Answer {
    match words {
        ["package"] => {
            let package =
                client.generate_key_package_message(ExtensionList::default(), ExtensionList::default(), None)?;
            return Ok(hex(&package.to_bytes()?));
        }
        ["create"] => {
            *group = Some(client.create_group(ExtensionList::default(), ExtensionList::default(), None)?);
            return authenticator(group.as_ref().unwrap());
        }
        ["join", welcome] => {
            *group = Some(client.join_group(None, &MlsMessage::from_bytes(&unhex(welcome))?, None)?.0);
            return authenticator(group.as_ref().unwrap());
        }
        _ => (),
    }
    let inside = group.as_mut().ok_or("not in a group")?;
    match words {
        ["commit", items @ ..] => commit(inside, items),
        ["update"] => Ok(hex(&inside.propose_update(Vec::new())?.to_bytes()?)),
        ["say", text] => Ok(hex(&inside.encrypt_application_message(&unhex(text), Vec::new())?.to_bytes()?)),
        ["leaf"] => Ok(inside.current_member_index().to_string()),
        ["take", message] => match inside.process_incoming_message(MlsMessage::from_bytes(&unhex(message))?)? {
            ReceivedMessage::ApplicationMessage(text) => Ok(format!("text {}", hex(text.data()))),
            ReceivedMessage::Proposal(_) => Ok("proposal".into()),
            ReceivedMessage::Commit(done) => match done.effect {
                CommitEffect::Removed { .. } => {
                    *group = None;
                    Ok("removed".into())
                }
                _ => Ok(format!("commit {}", authenticator(inside)?)),
            },
            _ => Err("something else".into()),
        },
        _ => Err("what?".into()),
    }
}

fn main() {
    let name = std::env::args().nth(1).expect("usage: mls-rs-peer NAME");
    let crypto = AwsLcCryptoProvider::default();
    let (secret, public) = crypto.cipher_suite_provider(SUITE).unwrap().signature_key_generate().unwrap();
    let client = Client::builder()
        .identity_provider(BasicIdentityProvider)
        .crypto_provider(crypto)
        .signing_identity(SigningIdentity::new(BasicCredential::new(name.into_bytes()).into_credential(), public), secret, SUITE)
        .build();
    let mut group = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        match obey(&client, &mut group, &words) {
            Ok(answer) => println!("ok {answer}"),
            Err(error) => println!("error {error}"),
        }
        std::io::stdout().flush().unwrap();
    }
}
