"""The diffusion's loss: what is drawn for it, what it weighs, and where its gradient goes."""

from dataclasses import replace

import pytest
import torch
from toy_samples import ToySamples

from sesahand.models.diffusers_fusion import attach_structural_fusion
from sesahand.models.networks import Networks
from sesahand.models.small.layout import MiniLayout
from sesahand.models.small.token_embedding import ids_of
from sesahand.models.small.tokenizer import load_tokenizer
from sesahand.training.config import Fusion, Noise
from sesahand.training.diffusion import ALWAYS, EVERY_OTHER, NEVER, DiffusionTask
from sesahand.training.loop import generator_of
from sesahand.training.samples import TrainingSample

LAYOUT = MiniLayout(widths=(64, 64), text_layers=1, size=64)
PLAIN = Noise(no_text=0.0)


def networks(prediction="v_prediction"):
    torch.manual_seed(0)
    layout = replace(LAYOUT, prediction=prediction)
    tokenizer = load_tokenizer()
    text = layout.build_text_encoder(ids_of(tokenizer, ["a hand, red green blue wall", "the wall is and there a cup"]))
    controlnet = layout.build_controlnet()
    for convolution in [*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block]:
        torch.nn.init.normal_(convolution.weight, std=0.1)
    parts = layout.build_unet(), text, tokenizer, layout.build_autoencoder(), layout.build_scheduler()
    return Networks(*parts, controlnet)


def batch_of(task, count=4):
    samples = ToySamples(TrainingSample, count, LAYOUT.size)
    return task.batch(range(count), [samples[index] for index in range(count)], generator_of(1, 2))


def gradients(task, batch, times=1):
    for _ in range(times):
        task.zero_grad()
        task(batch)["loss"].backward()
    return torch.cat([p.grad.flatten() for p in task.parameters() if p.grad is not None])


@pytest.mark.parametrize("prediction", ["v_prediction", "epsilon"])
def test_the_loss_is_the_weighted_error_of_what_the_model_should_predict(prediction):
    """Written out from the definitions: v = a noise - s x, snr = a^2 / s^2, min-SNR of 5 plus one, hands threefold."""
    model = networks(prediction)
    task = DiffusionTask(model, ["controlnet"], replace(PLAIN, min_snr=5.0, hand_weight=3.0), Fusion())
    batch = batch_of(task)
    with torch.no_grad():
        loss = task(batch)["loss"]
        x = model.autoencoder.latents(batch["pictures"]) * 0.18215
        signal = model.scheduler.alphas_cumprod[batch["time"]].view(-1, 1, 1, 1).sqrt()
        noise, spread = batch["noise"], (1 - signal**2).sqrt()
        noisy = signal * x + spread * noise
        text = model.text_encoder(batch["token_ids"])[0]
        down, middle = model.controlnet(noisy, batch["time"], text, batch["control"], return_dict=False)
        residuals = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        predicted = model.unet(noisy, batch["time"], text, **residuals).sample
        wanted = signal * noise - spread * x if prediction == "v_prediction" else noise
        snr = (signal / spread).square().flatten()
        kept = snr.clamp(max=5)
        weight = (kept + 1) / (snr + 1) if prediction == "v_prediction" else kept / snr
        hand = 1 + 2 * batch["hand"]
        error = ((predicted - wanted).square().mean(1, keepdim=True) * hand).sum((1, 2, 3)) / hand.sum((1, 2, 3))
    assert float(loss) == pytest.approx(float((error * weight).mean()), rel=1e-4)


def test_only_what_is_trained_gets_gradients_and_is_saved():
    model = networks()
    task = DiffusionTask(model, ["controlnet"], PLAIN, Fusion())
    task(batch_of(task))["loss"].backward()
    assert all(p.grad is None for p in [*model.unet.parameters(), *model.text_encoder.parameters()])
    assert model.controlnet.conv_in.weight.grad.abs().sum() > 0
    assert {name.split(".")[1] for name in task.state_dict()} == {"controlnet"}


def test_the_gradient_goes_through_the_maps_unless_they_are_detached():
    found = {}
    for name, fusion in (
        ("on", Fusion()),
        ("detached", Fusion(detach_psi=True)),
        ("recomputed", Fusion(recompute=True)),
    ):
        model = networks()
        task = DiffusionTask(model, ["controlnet"], PLAIN, fusion, ALWAYS)
        gradients(task, batch_of(task))
        found[name] = model.controlnet.mid_block.attentions[0].transformer_blocks[0].attn1.to_q.weight.grad
    assert (found["on"] - found["detached"]).norm() > 0.01 * found["on"].norm()
    assert torch.allclose(found["on"], found["recomputed"], rtol=1e-4, atol=1e-9)


def test_gradient_checkpointing_changes_no_gradient():
    found = []
    for checkpointing in (False, True):
        model = networks()
        if checkpointing:
            model.controlnet.enable_gradient_checkpointing()
            model.unet.enable_gradient_checkpointing()
        task = DiffusionTask(model, ["unet", "controlnet"], PLAIN, Fusion(), ALWAYS)
        found.append(gradients(task, batch_of(task), times=2))
    assert torch.allclose(*found, rtol=1e-3, atol=1e-7)


def test_fusion_is_on_in_the_passes_it_was_asked_for():
    losses = {}
    for fused in (NEVER, ALWAYS, EVERY_OTHER):
        task = DiffusionTask(networks(), ["controlnet"], PLAIN, Fusion(), fused)
        batch = batch_of(task)
        losses[fused] = [float(task(batch)["loss"].detach()) for _ in range(3)]
    plain, refined = losses[NEVER][0], losses[ALWAYS][0]
    assert plain != refined
    assert losses[EVERY_OTHER] == [plain, refined, plain]


def test_a_copy_of_a_fused_controlnet_starts_plain():
    model = networks()
    plain = DiffusionTask(model, ["controlnet"], PLAIN, Fusion())
    batch = batch_of(plain)
    wanted = float(plain(batch)["loss"].detach())
    attach_structural_fusion(model.controlnet, Fusion().settings)
    assert float(DiffusionTask(model, ["controlnet"], PLAIN, Fusion())(batch)["loss"].detach()) == wanted


def test_left_out_control_and_skips_leave_no_trace():
    model = networks()
    task = DiffusionTask(model, ["controlnet"], replace(PLAIN, no_control=1.0), Fusion())
    batch = batch_of(task)
    other = {**batch, "control": 1 - batch["control"]}
    with torch.no_grad():
        assert task(batch)["loss"] == task(other)["loss"]
        only_middle = DiffusionTask(model, ["controlnet"], replace(PLAIN, no_skip=1.0), Fusion(refine="middle"))
        batch = batch_of(only_middle)
        loss = only_middle(batch)["loss"]
        for convolution in model.controlnet.controlnet_down_blocks:
            convolution.weight.zero_()
        assert only_middle(batch)["loss"] == loss
        model.controlnet.controlnet_mid_block.weight.zero_()
        assert only_middle(batch)["loss"] != loss


def test_captions_are_dropped_and_drawn_as_often_as_asked():
    noise = Noise(no_text=0.25, styles={"clean": 1, "verbose": 3}, no_word=0.1)
    task = DiffusionTask(networks(), ["unet", "text_encoder"], noise, Fusion())
    ids = batch_of(task, 400)["token_ids"]
    tokenizer = load_tokenizer()
    empty = (ids[:, 1] == tokenizer.eos_token_id).float().mean()
    clean = (ids[:, 1] == tokenizer("a").input_ids[1]).float().mean()
    words = ids[~torch.isin(ids, torch.tensor(tokenizer.all_special_ids))]
    assert float(empty) == pytest.approx(0.25, abs=0.07)
    assert float(clean) == pytest.approx(0.75 * 0.25 * 0.9, abs=0.07)
    assert float((words == 0).float().mean()) == pytest.approx(0.1, abs=0.03)
