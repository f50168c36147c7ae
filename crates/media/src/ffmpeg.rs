//! The command lines of ffmpeg and ffprobe, with what is common to all calls: local files only, containers that are harmless.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use ytcaption_children::{Child, ChildCommand, Limits};

use super::{MediaError, SAMPLE_RATE};

/// Containers that may be opened: every one of ffmpeg's that can have sound and is recognised by its content. Left out on
/// purpose are those that make ffmpeg open other files than the one it was given or run a script (HLS, DASH, concat, IMF,
/// image sequences, SDP and other protocols, `SBaGen`, devices), and raw samples, which any file would pass for.
const FORMATS: &str = "3dostr,3g2,3gp,4xm,aa,aac,aax,ac3,ac4,ace,acm,act,ads,adx,aea,afc,aiff,aix,alp,amr,amrnb,amrwb,anm,apc,ape,apm,\
    argo_asf,argo_brp,argo_cvg,asf,asf_o,ast,au,avi,avr,avs,bethsoftvid,bfi,bfstm,bink,binka,bit,bmv,boa,bonk,brstm,\
    c93,caf,cine,codec2,daud,dcstr,derf,dhav,dsf,dsicin,dss,dts,dtshd,dv,dxa,ea,ea_cdata,eac3,epaf,film_cpk,flac,\
    flic,flv,frm,fsb,fwse,gdv,genh,gsm,gxf,hca,hcom,hnm,iamf,idcin,iff,ifv,ilbc,ipmovie,ircam,iss,iv8,ivf,ivr,jv,\
    kux,kvag,laf,live_flv,lmlm4,loas,lvf,lxf,m4a,matroska,mca,mgsts,mj2,mlp,mlv,mm,mmf,mods,moflex,mov,mp3,mp4,mpc,\
    mpc8,mpeg,mpegts,mpegtsraw,mpegvideo,msf,msp,mtaf,mtv,musx,mv,mvi,mxf,mxg,nc,nistsphere,nsp,nsv,nut,nuv,ogg,oma,\
    osq,paf,pmp,pp_bnk,psxstr,pva,pvf,qcp,qoa,r3d,redspark,rl2,rm,roq,rpl,rsd,rso,s337m,scd,sdr2,sds,sdx,ser,sga,\
    shn,siff,simbiosis_imx,smjpeg,smk,smush,sol,sox,spdif,svag,svs,swf,tak,thp,tiertexseq,tmv,truehd,tta,ty,usm,vag,\
    vividas,vivo,vmd,voc,vpk,vqf,w64,wady,wav,wc3movie,webm,wsaud,wsd,wsvqa,wtv,wv,wve,xa,xmd,xmv,xvag,xwma,yop";

/// What a call may use. The index of a video of 12 hours, with 60 pictures a second, needs 0.2 GB; a file of two kilobytes
/// can claim one of any size. Nothing is written but to a pipe.
const LIMITS: Limits = Limits { memory_bytes: 1 << 30, cpu: Duration::from_hours(2), file_bytes: 0, processes: 4096 };

/// A command that can read `input` and nothing else.
pub(super) fn command(program: &'static str, before_input: &[&str], input: &Path) -> ChildCommand {
    let mut command = ChildCommand::new(program, LIMITS);
    if program == "ffmpeg" {
        command.args(["-nostdin", "-nostats"]);
    }
    // `file:` keeps a name such as `-x.mp4` or `http:evil` from being read as anything but a path.
    let mut url = OsString::from("file:");
    url.push(input);
    command
        .args(["-hide_banner", "-v", "level+warning", "-protocol_whitelist", "file,pipe"])
        .args(["-format_whitelist", FORMATS])
        .args(before_input)
        .arg("-i")
        .arg(url)
        .reads(input);
    command
}

/// A command that turns samples (32-bit floats, 16 kHz, mono) from its standard input into FLAC on its standard output.
pub(super) fn encoder() -> ChildCommand {
    let mut command = ChildCommand::new("ffmpeg", LIMITS);
    command
        .args(["-nostats", "-hide_banner", "-v", "level+warning", "-protocol_whitelist", "pipe"])
        .args(["-f", "f32le", "-ar"])
        .arg(SAMPLE_RATE.to_string())
        .args(["-ac", "1", "-i", "pipe:0", "-sample_fmt", "s16", "-c:a", "flac", "-f", "flac", "pipe:1"])
        .takes_input();
    command
}

/// Starts the command. A missing program is an error of its own.
pub(super) fn spawn(program: &'static str, command: &ChildCommand) -> Result<Child, MediaError> {
    command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => MediaError::ToolMissing { program },
        _ => MediaError::Io(error),
    })
}

/// Fails for what ffmpeg need not be started for: a missing or empty file.
pub(super) async fn check_readable(input: &Path) -> Result<(), MediaError> {
    let unreadable = |source| MediaError::Unreadable { path: input.to_owned(), source };
    let metadata = tokio::fs::metadata(input).await.map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(unreadable(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    if metadata.is_file() && metadata.len() == 0 {
        return Err(MediaError::Empty);
    }
    Ok(())
}
