import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import { keepApp } from './offline/register.ts';

mount(App, { target: document.getElementById('app')! });
keepApp();
